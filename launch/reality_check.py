# SPDX-License-Identifier: Apache-2.0
"""Train, evaluate and tabulate every system of a reality check.

    python launch/reality_check.py --suite=configs/evaluate/reality_check.py --data_dir=data --output=runs/check
    python launch/reality_check.py ... --weights=rad-dino --weights=mine=models/encoder --trained_on=mine=chexpert:train

Prints its budget, then does the cells that are not done: start it again after an interruption, or at
the same time in other processes or hosts that see the output folder; they share the work. A killed process
loses at most the steps since the last checkpoint of its cell. Writes table.json and report.html; with nothing to do it only
writes these. `--cell=NAME` does one cell, `--list` names them.
"""

import pathlib
import sys

from absl import app, flags

if not __package__:  # run as a script: the repository need not be installed
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from medst_jax import config_flag
from medst_jax.commands.parts.answers import user_errors
from medst_jax.commands.parts.parse import parse_flags

_SUITE = config_flag.define("suite", config_flag.SUITES)
_DATA_DIR = flags.DEFINE_string("data_dir", "data", "Prepared data.")
_OUTPUT = flags.DEFINE_string("output", None, "Folder for cells and report.", required=True)
_SYSTEMS = flags.DEFINE_list("systems", [], "Only these systems.")
_MIXTURES = flags.DEFINE_list("mixtures", [], "Only these mixtures; those of the controls stay.")
_SEEDS = flags.DEFINE_list("seeds", [], "Only these seeds of training.")
_CELL = flags.DEFINE_list("cell", [], "Do only these cells.")
_LIST = flags.DEFINE_bool("list", False, "Name the cells and end.")
_WEIGHTS = flags.DEFINE_multi_string(
    "weights",
    [],
    "A contestant that was trained elsewhere: FOLDER or NAME=FOLDER of weights with the files that "
    "say what they are, or hf-hub:owner/name. Repeat it for more.",
)
_TRAINED_ON = flags.DEFINE_multi_string(
    "trained_on",
    [],
    "NAME=DATASET:SPLIT,... or NAME=none: what you know of the training of a contestant.",
)
_TRAIN_FLAG = flags.DEFINE_multi_string("train_flag", [], "Further flag of every training.")


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    if not _SUITE.value:
        raise app.UsageError("give --suite=FILE")
    # JAX only now: flags are parsed, and help printed, without it.
    from medst_jax.reality_check.run import Request, check

    request = Request(
        data_dir=_DATA_DIR.value,
        output=_OUTPUT.value,
        systems=tuple(_SYSTEMS.value),
        mixtures=tuple(_MIXTURES.value),
        seeds=tuple(_SEEDS.value),
        cells=tuple(_CELL.value),
        list=_LIST.value,
        train_flags=tuple(_TRAIN_FLAG.value),
        weights=tuple(_WEIGHTS.value),
        trained_on=tuple(_TRAINED_ON.value),
    )
    with user_errors(ValueError):
        check(_SUITE.value, config_flag.file_of(_SUITE, config_flag.SUITES), request)


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
