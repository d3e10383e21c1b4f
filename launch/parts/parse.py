# SPDX-License-Identifier: Apache-2.0
"""Parsing of flags: help in the words of the call, unknown keys of a configuration in one line."""

import sys

from absl import app

from medst_jax.command_line import with_user_commands


def parse_flags(argv: list[str]) -> list[str]:
    """For `app.run(main, flags_parser=parse_flags)`.

    Raises:
      SystemExit: after `--help`; for a flag that does not exist or has no such value.
    """
    main = sys.modules["__main__"]
    main.__doc__ = with_user_commands(main.__doc__ or "")
    try:
        return app.parse_flags_with_usage(argv)
    except (AttributeError, KeyError) as error:
        # ml_collections raises on a --config.key that the config file does not define.
        raise SystemExit(f"error: the configuration has no key {error}") from None
