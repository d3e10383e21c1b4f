# SPDX-License-Identifier: Apache-2.0
"""Measure the input pipeline, the train step or the losses on this machine.

    python launch/benchmark.py --what=input [--data_dir=data --dataset=NAME --vocabulary=NAME]
    python launch/benchmark.py --what=step --config=configs/clip.py:smoke [--torch_python=PYTHON]
    python launch/benchmark.py --what=losses
    python launch/benchmark.py ... --json

--what is required; --help beside --what=input or --what=step lists their flags too.
A table for people, or one line of JSON: {"what", "rows", "versions"}.
"""

import importlib
import importlib.metadata
import json
import os
import pathlib
import platform
import sys
from typing import Any

from absl import app, flags

if not __package__:  # run as a script: the repository need not be installed
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from medst_jax.commands.parts.answers import user_errors
from medst_jax.commands.parts.parse import parse_flags

_WHAT = flags.DEFINE_enum("what", None, ["input", "step", "losses"], "What to measure.")
_JSON = flags.DEFINE_bool("json", False, "Print JSON instead of a table.")

# Each has its own flags and libraries: only the one that is asked for is imported.
_MODULES = {name: f"medst_jax.benchmarks.{name}" for name in ("input", "step", "losses")}
_WITH_FLAGS = ("input", "step")


def main(_: list[str]) -> None:
    what = str(_WHAT.value)
    module = importlib.import_module(_MODULES[what])
    with user_errors(ValueError):
        rows = module.run() if hasattr(module, "run") else module.measure()
    if _JSON.value:
        print(json.dumps({"what": what, "rows": rows, "versions": versions()}))
    else:
        print(module.table(rows) if hasattr(module, "table") else json.dumps(rows, indent=2))


def versions() -> dict[str, Any]:
    """What the figures hold for."""
    names = ("jax", "jaxlib", "numpy", "simplejpeg", "opencv-python-headless", "grain")
    installed = {name: importlib.metadata.version(name) for name in names}
    return installed | {"python": platform.python_version(), "cores": os.cpu_count()}


def _parse(argv: list[str]) -> list[str]:
    # A measured module that defines flags of its own is named before flags are parsed.
    for k, word in enumerate(argv):
        name = word.partition("=")[2] if "=" in word else (argv[k + 1 : k + 2] or [""])[0]
        if word.partition("=")[0].lstrip("-") == "what" and name in _WITH_FLAGS:
            # Its flags stand in the help of this command.
            flags.adopt_module_key_flags(importlib.import_module(_MODULES[name]))
    flags.mark_flag_as_required("what")
    return parse_flags(argv)


if __name__ == "__main__":
    app.run(main, flags_parser=_parse)
