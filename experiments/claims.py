# SPDX-License-Identifier: Apache-2.0
"""Train, evaluate and judge the claims of configs/evaluate/claims.py.

    python -m experiments.claims --data_dir=data --output=runs/claims [--systems=clip,dlilp]
    python -m experiments.claims --claims=temporal_claims ...

Each run is `launch/train.py --config=configs/<system>.py:<variant>` with a seed and a control,
then `launch/evaluate.py`, in a folder of its own; finished runs are skipped, interrupted ones go
on. Writes claims.json and prints the table. The random encoder is trained with learning rate 0:
its parameters stay as initialised while its batch norm takes up the statistics of the images.
"""

import importlib
import json
import pathlib

from absl import app, flags

ROOT = pathlib.Path(__file__).resolve().parent.parent

from experiments.judging import Trial, describe, judge, table, trained
from experiments.runs import Run, finish_all
from medst_jax.data.records.studies import read_info

_DATA = flags.DEFINE_string("data_dir", "data", "Prepared simulated cohort and vocabulary.")
_OUTPUT = flags.DEFINE_string("output", "runs/claims", "Folder for runs and results.")
_CLAIMS = flags.DEFINE_string("claims", "claims", "File of configs/evaluate that holds the claims.")
_SYSTEMS = flags.DEFINE_list("systems", None, "Systems to judge; all by default.")
_SEEDS = flags.DEFINE_list("seeds", None, "Training seeds; those of the claims by default.")
_VARIANT = flags.DEFINE_string("variant", "smoke", "Variant of the training config.")
_RANDOM_STEPS = flags.DEFINE_integer("random_steps", 50, "Steps of the random encoder.")
_JOBS = flags.DEFINE_integer("jobs", 1, "Runs at a time; more than one pins each to a core.")
_TRAIN_FLAG = flags.DEFINE_multi_string(
    "train_flag", [], "Further flag of every training, such as --config.train.steps=300."
)


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    claims = importlib.import_module(f"medst_jax.configs.evaluate.{_CLAIMS.value}")
    systems = _SYSTEMS.value or list(claims.CLAIMS)
    unknown = set(systems) - set(claims.CLAIMS)
    if unknown:
        raise app.UsageError(f"no claims for {sorted(unknown)}; known: {list(claims.CLAIMS)}")
    trial = Trial(
        claims,
        _DATA.value,
        pathlib.Path(_OUTPUT.value),
        _VARIANT.value,
        _RANDOM_STEPS.value,
        tuple(_TRAIN_FLAG.value),
    )
    seeds = [int(seed) for seed in _SEEDS.value or claims.SEEDS]
    runs: dict[pathlib.Path, Run] = {}
    for system in systems:
        for name in ("none", *claims.CLAIMS[system].controls):
            for seed in seeds:
                for run in describe(trial, *trained(claims, system, name), seed):
                    runs[run.folder] = run
    # What starts from others waits for them.
    while runs:
        ready = [run for run in runs.values() if not set(run.starts.values()) & set(runs)]
        finish_all(ready, _JOBS.value)
        for run in ready:
            del runs[run.folder]
    judged = [row for system in systems for row in judge(trial, system, seeds)]
    info = read_info(_DATA.value, "simulated_cxr_e1")
    result = {"fingerprint": info["fingerprint"], "seeds": seeds, "claims": judged}
    (trial.output / "claims.json").write_text(json.dumps(result, indent=1) + "\n")
    print(table(judged))


if __name__ == "__main__":
    app.run(main)
