# SPDX-License-Identifier: Apache-2.0
"""Flags that name a configuration: a file of the user's, or one that is shipped, by its name.

`--config=dlilp:smoke` is `configs/dlilp.py:smoke` wherever the package lies, and `--suite=smoke`
is `configs/evaluate/smoke.py`.
"""

import difflib
import json
import pathlib
import re
import runpy
import sys
from collections.abc import Mapping
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_dict, config_flags

# Flags that `define` makes are of the module that calls it, in its help.
flags.disclaim_key_flags()

CONFIGS = pathlib.Path(__file__).resolve().parent / "configs"
SUITES = CONFIGS / "evaluate"
# How an encoder is run, which files leave to the hardware: a flag may still say it.
RUN_BY: Mapping[str, type] = {"remat": str, "slices": int, "attention": str}


def find(argument: str, folder: pathlib.Path = CONFIGS) -> str:
    """FILE[:VARIANT] of an argument FILE[:VARIANT] or NAME[:VARIANT].

    Args:
      argument: of a flag. A file that exists is taken as it is.
      folder: of the shipped configurations.

    Raises:
      ValueError: there is no such file and no such name; lists those that are near.
    """
    name, colon, variant = argument.partition(":")
    if pathlib.Path(name).is_file():
        return argument
    shipped = folder / f"{name}.py"
    names = sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")
    if name in names:
        return f"{shipped}{colon}{variant}"
    if name.endswith(".py"):
        raise ValueError(f"there is no file {name}{_near(pathlib.Path(name).stem, names)}")
    raise ValueError(f"no shipped configuration is named {name!r}{_near(name, names)}")


def load(argument: str, folder: pathlib.Path = CONFIGS) -> dict[str, Any]:
    """The plain values of FILE[:VARIANT] or NAME[:VARIANT].

    Raises:
      ValueError: there is no such configuration or variant.
    """
    file, _, variant = find(argument, folder).partition(":")
    config = runpy.run_path(file)["get_config"](variant or None)
    values: dict[str, Any] = json.loads(config.to_json_best_effort())
    return values


def _near(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=3)
    if near:
        return f"; by name: {', '.join(near)}"
    return f"; known by name: {', '.join(names)}"


def _open(config: ConfigDict, part: str, key: str) -> None:
    """Give an encoder's section a key of `RUN_BY` that its file leaves open, so that it can be set."""
    section = config.get("system", {}).get(part)
    if isinstance(section, ConfigDict) and key not in section:
        with config.unlocked():
            section[key] = config_dict.placeholder(RUN_BY[key])


class _Parser(flags.ArgumentParser[Any]):
    """Another parser of files, that is given the file of a name."""

    def __init__(
        self, name: str, of_files: flags.ArgumentParser[Any], folder: pathlib.Path
    ) -> None:
        self._name, self._of_files, self._folder = name, of_files, folder

    def parse(self, argument: str) -> Any:
        config = self._of_files.parse(find(argument, self._folder))
        for word in flags.FLAGS.read_flags_from_files(sys.argv, force_gnu=False):
            keys = "|".join(RUN_BY)
            named = re.match(rf"--?{self._name}\.system\.(\w+)\.({keys})(=|$)", word)
            if named:
                _open(config, named[1], named[2])
        return config

    def flag_type(self) -> str:
        return self._of_files.flag_type()


def define(name: str, folder: pathlib.Path = CONFIGS) -> flags.FlagHolder[Any]:
    """Define `--NAME=CONFIGURATION` and `--NAME.KEY=VALUE`; its value is a locked ConfigDict."""
    holder = config_flags.DEFINE_config_file(
        name, lock_config=True, help_string="A file or a shipped name, FILE[:VARIANT]."
    )
    flag = flags.FLAGS[name]
    flag.parser = _Parser(name, flag.parser, folder)
    return holder


def file_of(holder: flags.FlagHolder[Any], folder: pathlib.Path = CONFIGS) -> str:
    """FILE[:VARIANT] of a flag that `define` made, the file as an absolute path."""
    given = config_flags.get_config_filename(flags.FLAGS[holder.name])
    file, colon, variant = find(given, folder).partition(":")
    return f"{pathlib.Path(file).resolve()}{colon}{variant}"
