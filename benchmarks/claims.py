# SPDX-License-Identifier: Apache-2.0
"""Train, evaluate and judge the claims of configs/evaluate/claims.py.

    python benchmarks/claims.py --data_dir=data --output=runs/claims [--systems=clip,dlilp]
    python benchmarks/claims.py --claims=temporal_claims ...

Each run is `launch/train.py --config=configs/<system>.py:<variant>` with a seed and a control,
then `launch/evaluate.py`, in a folder of its own; finished runs are skipped, interrupted ones go
on. Writes claims.json and prints the table. The random encoder is trained with learning rate 0:
its parameters stay as initialised while its batch norm takes up the statistics of the images.
"""

import importlib
import json
import pathlib
import sys
from typing import Any

from absl import app, flags

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.runs import FROZEN, Run, finish_all
from configs.evaluate.claims import Claim, Control, Recipe
from medst_jax.data.studies import read_info
from medst_jax.evaluate.comparison import compare, mean_value
from medst_jax.evaluate.predictions import Predictions, read_predictions

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
    claims = importlib.import_module(f"configs.evaluate.{_CLAIMS.value}")
    systems = _SYSTEMS.value or list(claims.CLAIMS)
    unknown = set(systems) - set(claims.CLAIMS)
    if unknown:
        raise app.UsageError(f"no claims for {sorted(unknown)}; known: {list(claims.CLAIMS)}")
    output = pathlib.Path(_OUTPUT.value)
    seeds = [int(seed) for seed in _SEEDS.value or claims.SEEDS]
    runs: dict[pathlib.Path, Run] = {}
    for system in systems:
        for name in ("none", *claims.CLAIMS[system].controls):
            for seed in seeds:
                for run in describe(output, claims, *trained(claims, system, name), seed):
                    runs[run.folder] = run
    # What starts from others waits for them.
    while runs:
        ready = [run for run in runs.values() if not set(run.starts.values()) & set(runs)]
        finish_all(ready, _JOBS.value)
        for run in ready:
            del runs[run.folder]
    judged = [row for system in systems for row in judge(output, claims, system, seeds)]
    info = read_info(_DATA.value, "simulated_cxr_e1")
    result = {"fingerprint": info["fingerprint"], "seeds": seeds, "claims": judged}
    (output / "claims.json").write_text(json.dumps(result, indent=1) + "\n")
    print(table(judged))


def run_name(system: str, control: str, seed: int) -> str:
    """Folder of a run; "none" is the system as it should be."""
    return f"{system}_{control}_{seed}"


def trained(claims: Any, system: str, control: str) -> tuple[str, str]:
    """The (system, control) whose runs stand for a control, of the file `claims`."""
    different = claims.CONTROLS.get(control, Control())
    if different.system:
        return different.system, "none"
    return (system, "none") if different.tasks else (system, control)


def describe(
    output: pathlib.Path, claims: Any, system: str, control: str, seed: int
) -> tuple[Run, ...]:
    """The run of a system under a control, after the runs that it starts from."""
    recipe = claims.RECIPES.get(system, Recipe(system))
    before: list[Run] = []
    starts = {}
    for encoder, origin in recipe.starts.items():
        before += describe(output, claims, origin, "none", seed)
        starts[encoder] = before[-1].folder
    evaluate = (
        f"--suite={ROOT / 'configs/evaluate' / _CLAIMS.value}.py",
        f"--data_dir={_DATA.value}",
        f"--name={system}_{control}",
    )
    flags = claims.CONTROLS.get(control, Control()).flags
    return (
        *before,
        Run(
            output / run_name(system, control, seed),
            train_flags(recipe.config, control, flags, seed),
            evaluate,
            starts,
        ),
    )


def train_flags(
    config: str, control: str, different: tuple[str, ...], seed: int
) -> tuple[str, ...]:
    """Flags of `launch/train.py` for a config under a control."""
    arguments = (
        f"--config={ROOT / 'configs' / config}.py:{_VARIANT.value}",
        f"--config.seed={seed}",
        f"--config.data.data_dir={_DATA.value}",
        *_TRAIN_FLAG.value,
    )
    if control == "random":
        return (*arguments, *FROZEN, f"--config.train.steps={_RANDOM_STEPS.value}")
    return (*arguments, *different)


def judge(
    output: pathlib.Path, claims: Any, system: str, seeds: list[int]
) -> list[dict[str, object]]:
    """One row per task and control of a system; `claims` is the file that holds the claims."""
    claim: Claim = claims.CLAIMS[system]

    def predictions(name: str, task: str) -> list[Predictions] | None:
        task = claims.CONTROLS.get(name, Control()).tasks.get(task, task)
        folders = [output / run_name(*trained(claims, system, name), seed) for seed in seeds]
        found = [read_predictions(f / "evaluation" / "predictions.npz") for f in folders]
        return [one[task] for one in found] if all(task in one for one in found) else None

    rows = []
    for task in claim.tasks:
        metric = claims.METRICS.get(task, claims.METRIC)
        own = predictions("none", task)
        if own is None:
            raise SystemExit(f"error: a run of {system} has no task {task!r}; see its output.txt")
        for control in claim.controls:
            elsewhere = claims.CONTROLS.get(control, Control()).tasks
            other = predictions(control, task)
            if other is None and task in claim.required[control]:
                raise SystemExit(f"error: a run of {system}'s control {control} lacks {task!r}")
            if other is None or (elsewhere and task not in elsewhere):
                continue  # it is a control of other tasks
            effect = compare(own, other, metric)
            rows.append(
                {
                    "system": system,
                    "task": task,
                    "metric": metric,
                    "control": control,
                    "required": task in claim.required[control],
                    "value": mean_value(own, metric),
                    "control_value": mean_value(other, metric),
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
    lines = [f"{'system':10}{'task':24}{'control':15}{'value':>7}{'control':>9}   effect [95%]"]
    for r in rows:
        reached = "> 0.03" if r["above_minimal_effect"] else "> 0" if r["above_zero"] else "no"
        verdict = reached if r["required"] else f"({reached})"
        lines.append(
            f"{r['system']:10}{r['task']:24}{r['control']:15}{r['value']:7.3f}"
            f"{r['control_value']:9.3f}   {r['effect']:+.3f} [{r['low']:+.3f}, {r['high']:+.3f}]  "
            f"{verdict}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    app.run(main)
