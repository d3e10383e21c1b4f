# SPDX-License-Identifier: Apache-2.0
"""Train, evaluate and judge the claims of configs/evaluate/claims.py.

    python benchmarks/claims.py --data_dir=data --output=runs/claims [--systems=clip,dlilp]

Each run is `launch/train.py --config=configs/<system>.py:<variant>` with a seed and a control,
then `launch/evaluate.py`, in a folder of its own; finished runs are skipped, interrupted ones go
on. Writes claims.json and prints the table. The random encoder is trained with learning rate 0:
its parameters stay as initialised while its batch norm takes up the statistics of the images.
"""

import json
import pathlib
import sys

from absl import app, flags

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.runs import FROZEN, Run, finish_all
from configs.evaluate import claims
from medst_jax.data.studies import read_info
from medst_jax.evaluate.comparison import compare, mean_value
from medst_jax.evaluate.predictions import read_predictions

_DATA = flags.DEFINE_string("data_dir", "data", "Prepared simulated cohort and vocabulary.")
_OUTPUT = flags.DEFINE_string("output", "runs/claims", "Folder for runs and results.")
_SYSTEMS = flags.DEFINE_list("systems", list(claims.CLAIMS), "Systems to judge.")
_SEEDS = flags.DEFINE_list("seeds", list(map(str, claims.SEEDS)), "Training seeds.")
_VARIANT = flags.DEFINE_string("variant", "smoke", "Variant of the training config.")
_RANDOM_STEPS = flags.DEFINE_integer("random_steps", 50, "Steps of the random encoder.")
_JOBS = flags.DEFINE_integer("jobs", 1, "Runs at a time; more than one pins each to a core.")
_TRAIN_FLAG = flags.DEFINE_multi_string(
    "train_flag", [], "Further flag of every training, such as --config.train.steps=300."
)


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    unknown = set(_SYSTEMS.value) - set(claims.CLAIMS)
    if unknown:
        raise app.UsageError(f"no claims for {sorted(unknown)}; known: {list(claims.CLAIMS)}")
    output = pathlib.Path(_OUTPUT.value)
    runs = [
        (system, control, int(seed))
        for system in _SYSTEMS.value
        for control in ("none", *claims.CLAIMS[system].controls)
        for seed in _SEEDS.value
    ]
    finish_all([describe(output / run_name(*run), *run) for run in runs], _JOBS.value)
    seeds = [int(seed) for seed in _SEEDS.value]
    judged = [row for system in _SYSTEMS.value for row in judge(output, system, seeds)]
    info = read_info(_DATA.value, "simulated_cxr_e1")
    result = {"fingerprint": info["fingerprint"], "seeds": seeds, "claims": judged}
    (output / "claims.json").write_text(json.dumps(result, indent=1) + "\n")
    print(table(judged))


def run_name(system: str, control: str, seed: int) -> str:
    """Folder of a run; "none" is the system as it should be."""
    return f"{system}_{control}_{seed}"


def describe(folder: pathlib.Path, system: str, control: str, seed: int) -> Run:
    """The run of a system under a control."""
    evaluate = (
        f"--suite={ROOT / 'configs/evaluate/claims.py'}",
        f"--data_dir={_DATA.value}",
        f"--name={system}_{control}",
    )
    return Run(folder, train_flags(system, control, seed), evaluate)


def train_flags(system: str, control: str, seed: int) -> tuple[str, ...]:
    """Flags of `launch/train.py` for a system under a control."""
    arguments = (
        f"--config={ROOT / 'configs' / system}.py:{_VARIANT.value}",
        f"--config.seed={seed}",
        f"--config.data.data_dir={_DATA.value}",
        *_TRAIN_FLAG.value,
    )
    if control == "random":
        return (*arguments, *FROZEN, f"--config.train.steps={_RANDOM_STEPS.value}")
    return arguments if control == "none" else (*arguments, f"--config.data.shuffle={control}")


def judge(output: pathlib.Path, system: str, seeds: list[int]) -> list[dict[str, object]]:
    """One row per task and control of a system."""
    claim = claims.CLAIMS[system]

    def predictions(control: str, task: str) -> list:
        folders = [output / run_name(system, control, seed) for seed in seeds]
        return [read_predictions(f / "evaluation" / "predictions.npz")[task] for f in folders]

    rows = []
    for task in claim.tasks:
        own = predictions("none", task)
        for control in claim.controls:
            other = predictions(control, task)
            effect = compare(own, other, claims.METRIC)
            rows.append(
                {
                    "system": system,
                    "task": task,
                    "metric": claims.METRIC,
                    "control": control,
                    "required": task in claim.required[control],
                    "value": mean_value(own, claims.METRIC),
                    "control_value": mean_value(other, claims.METRIC),
                    "effect": effect.value,
                    "low": effect.low,
                    "high": effect.high,
                    "above_zero": effect.low > 0,
                    "above_minimal_effect": effect.low > claims.MINIMAL_EFFECT,
                    "n": len(own[0].patients),
                }
            )
    return rows


def table(rows: list[dict[str, object]]) -> str:
    """The claims as text."""
    lines = [f"{'system':10}{'task':22}{'control':9}{'value':>7}{'control':>9}   effect [95%]"]
    for r in rows:
        reached = "> 0.03" if r["above_minimal_effect"] else "> 0" if r["above_zero"] else "no"
        verdict = reached if r["required"] else f"({reached})"
        lines.append(
            f"{r['system']:10}{r['task']:22}{r['control']:9}{r['value']:7.3f}"
            f"{r['control_value']:9.3f}   {r['effect']:+.3f} [{r['low']:+.3f}, {r['high']:+.3f}]  "
            f"{verdict}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    app.run(main)
