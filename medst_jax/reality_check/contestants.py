# SPDX-License-Identifier: Apache-2.0
"""Encoders of other projects that a command line adds to a reality check."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from medst_jax import hub
from medst_jax.options import OptionError


def with_contestants(
    cells: Mapping[str, Any], weights: Sequence[str], trained_on: Sequence[str]
) -> dict[str, Any]:
    """A suite's `cells` with further `externals`.

    Args:
      cells: of the suite.
      weights: "FOLDER" or "NAME=FOLDER" of each: safetensors with the files that say what they
        are, or `hf-hub:owner/name`. Without a name the last folder's is taken.
      trained_on: "NAME=DATASET:SPLIT,...", or "NAME=none", what the user knows of a contestant.

    Raises:
      OptionError: two contestants of one name, a name without a contestant, or no value.
    """
    externals = {name: dict(values) for name, values in (cells.get("externals") or {}).items()}
    for given in weights:
        name, path = _named(given)
        if not name or not path:
            raise OptionError(f"--weights is {given!r}; write FOLDER or NAME=FOLDER")
        if name in externals:
            raise OptionError(
                f"--weights: there is a contestant {name!r} already; name this one, NAME={path}"
            )
        externals[name] = {"weights": path}
    for given in trained_on:
        name, _, told = given.partition("=")
        if name not in externals or not told:
            raise OptionError(
                f"--trained_on is {given!r}; write NAME=DATASET:SPLIT,... or NAME=none, of one of "
                f"the contestants: {', '.join(externals) or 'there are none'}"
            )
        externals[name]["trained_on"] = told
    return {**cells, "externals": externals}


def _named(given: str) -> tuple[str, str]:
    """Name and place; a folder's place is absolute, so that a cell is the same from anywhere."""
    name, equals, path = given.partition("=")
    if not equals or "/" in name:  # a path may hold the sign itself
        name, path = "", given
    if not path:
        return name, ""
    if not path.startswith(hub.PREFIX):
        path = str(pathlib.Path(path).resolve())
    return name or pathlib.PurePath(path.partition("@")[0]).name, path
