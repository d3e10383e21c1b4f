# SPDX-License-Identifier: Apache-2.0
"""Parsing of flags: help in the words of the call, unknown keys of a configuration in one line."""

import logging
import re
import sys
import traceback

import absl.logging
from absl import app

from medst_jax.command_line import with_user_commands
from medst_jax.end_with_parent import watch_parent


def parse_flags(argv: list[str]) -> list[str]:
    """For `app.run(main, flags_parser=parse_flags)`.

    Raises:
      SystemExit: after `--help`; for a flag that does not exist or has no such value.
    """
    watch_parent()
    quiet(argv)
    main = sys.modules["__main__"]
    main.__doc__ = with_user_commands(main.__doc__ or "")
    try:
        return app.parse_flags_with_usage(with_mixture(argv))
    except Exception as error:  # noqa: BLE001 (a configuration is any program)
        # ml_collections raises on a --config.key that the config file does not define; whatever else
        # comes is of the file itself, which is the user's program.
        if isinstance(error, (AttributeError, KeyError)) and "get_config" not in str(error):
            raise SystemExit(f"error: {missing_key(argv, str(error))}") from None
        place = traceback.extract_tb(error.__traceback__)[-1]
        said = " ".join(str(error).split())
        raise SystemExit(
            f"error: the configuration cannot be read: {type(error).__name__}: {said} "
            f"({place.filename}, line {place.lineno})"
        ) from None


def quiet(argv: list[str]) -> None:
    """Log what this project has to say, not every file that a library opens; --verbosity undoes it."""
    if not any(re.match(r"--?v(erbosity)?(=|$)", word) for word in argv):
        absl.logging.set_verbosity(absl.logging.WARNING)
        logging.getLogger("medst_jax").setLevel(logging.INFO)


def missing_key(argv: list[str], said: str) -> str:
    """What ml_collections says of a key that is not there, in one line.

    >>> said = "'batchsize'\\nDid you mean \\"batch_size\\" instead of \\"batchsize\\"?"
    >>> missing_key(["train", "--config.train.batchsize=3"], said)
    "--config.train.batchsize: the configuration has no key 'batchsize'; did you mean 'batch_size'?"
    """
    said = said.replace("\\", "")  # a KeyError quotes its text once more
    named = re.search(r"['\"]([^'\"]+)['\"]", said)
    if named is None:
        return f"the configuration has no key {' '.join(said.split())}"
    key = named[1]
    flags = [word.partition("=")[0] for word in argv if word.startswith("-")]
    flag = next((name for name in flags if key in name.split(".")[1:]), "")
    near = re.search(r"Did you mean ['\"]([^'\"]+)['\"]", said)
    hint = f"; did you mean {near[1]!r}?" if near else "; `config` prints all keys"
    return f"{flag}{': ' if flag else ''}the configuration has no key {key!r}{hint}"


def with_mixture(argv: list[str]) -> list[str]:
    """`--config.data.mixture=a+b` as the variant that it stands for, `--config=FILE:VARIANT,a+b`.

    A mixture is a table, which no flag can hold; names of data sets are what users mean.

    >>> with_mixture(["train", "--config=dlilp:smoke", "--config.data.mixture=mine"])
    ['train', '--config=dlilp:smoke,mine']
    """
    mixtures = [word for word in argv if re.match(r"--?config\.data\.mixture=", word)]
    rest = [word for word in argv if word not in mixtures]
    places = [k for k, word in enumerate(rest) if re.match(r"--?config(=|$)", word)]
    if not mixtures or not places:
        return argv  # which is then refused
    names = mixtures[-1].partition("=")[2].replace(",", "+")
    last = places[-1]
    joined = "=" in rest[last]
    given = rest[last].partition("=")[2] if joined else (rest[last + 1 : last + 2] or [""])[0]
    file, _, variant = given.partition(":")
    whole = f"--config={file}:{variant.partition(',')[0]},{names}"
    return [*rest[:last], whole, *rest[last + (1 if joined else 2) :]]
