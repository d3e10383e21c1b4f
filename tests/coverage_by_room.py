# SPDX-License-Identifier: Apache-2.0
"""Line coverage of each room, from the JSON report of coverage.py.

make coverage
python -m tests.coverage_by_room coverage.json
"""

import collections
import json
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

# Rooms of the package with rooms of their own.
NESTED = ("data", "evaluate", "losses", "models", "systems")
GOAL = 80.0


def room(file: str) -> str:
    """The room of a file, by its path from the root of the repository.

    >>> [room(f"medst_jax/{name}") for name in ("options.py", "data/batch.py", "data/loader/x.py")]
    ['medst_jax', 'medst_jax/data', 'medst_jax/data/loader']
    >>> room("data_pipelines/listing/item.py"), room("launch/train.py")
    ('data_pipelines', 'launch')
    """
    folders = pathlib.PurePath(file).parts[:-1]
    if folders[0] != "medst_jax":
        return folders[0]
    return "/".join(folders[: 3 if folders[1:2] and folders[1] in NESTED else 2])


def table(report: Mapping[str, Any]) -> str:
    """Rooms with their lines and the share of them that ran; those below the goal are marked."""
    lines: collections.Counter[str] = collections.Counter()
    ran: collections.Counter[str] = collections.Counter()
    for file, measured in report["files"].items():
        summary = measured["summary"]
        for name in (room(file), "all"):
            lines[name] += summary["num_statements"]
            ran[name] += summary["covered_lines"]
    width = max(map(len, lines))
    rows = [f"{'room'.ljust(width)}   lines  covered"]
    for name in sorted(lines, key=lambda name: (name == "all", name)):
        if lines[name]:
            share = 100 * ran[name] / lines[name]
            mark = "" if share >= GOAL else f"  below {GOAL:.0f}%"
            rows.append(f"{name.ljust(width)}  {lines[name]:6,}   {share:5.1f}%{mark}")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table(json.loads(pathlib.Path(sys.argv[1]).read_text())))
