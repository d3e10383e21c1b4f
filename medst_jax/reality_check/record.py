# SPDX-License-Identifier: Apache-2.0
"""What a cell was trained and evaluated with: an old cell never stands for another one."""

import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from etils import epath

from medst_jax.added_options import without_before
from medst_jax.train.sections import Sections
from medst_jax.train.workdir import read_json, write_json

CELL = "cell.json"


class CellError(RuntimeError):
    """A cell failed, or its folder holds another one; the message says where to look."""


def digest_of(suite: Mapping[str, Any]) -> str:
    """A digest of how a suite evaluates: its tasks, bootstrap and seed, not of which cells it has."""
    return digest({key: value for key, value in suite.items() if key != "cells"})


def digest(values: Mapping[str, Any]) -> str:
    """16 hexadecimal digits of plain values, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def config_digest(config: Mapping[str, Any]) -> str:
    """A digest of a training's configuration, the same for options added since that change nothing."""
    return digest(without_before(Sections, config))


def claim_folder(folder: pathlib.Path, record: Mapping[str, Any]) -> None:
    """Write the record of a cell whose folder is new.

    Raises:
      CellError: see `check_folder`.
    """
    check_folder(folder, record)
    write_json(epath.Path(folder / CELL), record)


def check_folder(folder: pathlib.Path, record: Mapping[str, Any]) -> None:
    """Check that a folder is new, or holds this very cell.

    Raises:
      CellError: names the folder, what differs and the remedy.
    """
    path = epath.Path(folder / CELL)
    if path.exists():
        stored = read_json(path)
        differing = [
            key for key in record if stored.get(key) != json.loads(json.dumps(record[key]))
        ]
        if not differing:
            return
        key = differing[0]
        problem = f"was made with {key} = {stored.get(key)!r}, now it is {record[key]!r}"
    elif (folder / "evaluation" / "metrics.json").exists():
        problem = f"has results but no {CELL}, which says what they are of"
    else:
        return
    raise CellError(f"{folder} {problem}; delete this folder or use another --output")
