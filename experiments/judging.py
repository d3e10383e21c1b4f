# SPDX-License-Identifier: Apache-2.0
"""Which runs a file of claims takes, from which others they start, and what they show."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

from experiments.runs import FROZEN, ROOT, Run
from medst_jax.configs.evaluate.claims import Claim, Control, Recipe
from medst_jax.evaluate.statistics.comparison import compare, mean_value
from medst_jax.evaluate.statistics.predictions import Predictions, read_predictions


@dataclasses.dataclass(frozen=True)
class Trial:
    """Where and how claims are judged; `claims` is a file of configs/evaluate, as a module."""

    claims: Any
    data_dir: str
    output: pathlib.Path
    variant: str = "smoke"
    random_steps: int = 50
    train_flags: tuple[str, ...] = ()


def run_name(system: str, control: str, seed: int) -> str:
    """Folder of a run; "none" is the system as it should be."""
    return f"{system}_{control}_{seed}"


def trained(claims: Any, system: str, control: str) -> tuple[str, str]:
    """The (system, control) whose runs stand for a control, of the file `claims`."""
    different = claims.CONTROLS.get(control, Control())
    if different.system:
        return different.system, "none"
    return (system, "none") if different.tasks else (system, control)


def describe(trial: Trial, system: str, control: str, seed: int) -> tuple[Run, ...]:
    """The run of a system under a control, after the runs that it starts from."""
    recipe = trial.claims.RECIPES.get(system, Recipe(system))
    before: list[Run] = []
    starts = {}
    for encoder, origin in recipe.starts.items():
        before += describe(trial, origin, "none", seed)
        starts[encoder] = before[-1].folder
    evaluate = (
        f"--suite={trial.claims.__file__}",
        f"--data_dir={trial.data_dir}",
        f"--name={system}_{control}",
    )
    flags = (*recipe.flags, *trial.claims.CONTROLS.get(control, Control()).flags)
    return (
        *before,
        Run(
            trial.output / run_name(system, control, seed),
            train_flags(trial, recipe.config, control, flags, seed),
            evaluate,
            starts,
        ),
    )


def train_flags(
    trial: Trial, config: str, control: str, different: tuple[str, ...], seed: int
) -> tuple[str, ...]:
    """Flags of `launch/train.py` for a config under a control; `different`: beside the config's."""
    arguments = (
        f"--config={ROOT / 'configs' / config}.py:{trial.variant}",
        f"--config.seed={seed}",
        f"--config.data.data_dir={trial.data_dir}",
        *trial.train_flags,
    )
    if control == "random":
        return (*arguments, *different, *FROZEN, f"--config.train.steps={trial.random_steps}")
    return (*arguments, *different)


def judge(trial: Trial, system: str, seeds: Sequence[int]) -> list[dict[str, object]]:
    """One row per task and control of a system, whose runs are finished."""
    claims = trial.claims
    claim: Claim = claims.CLAIMS[system]

    def predictions(name: str, task: str) -> list[Predictions] | None:
        task = claims.CONTROLS.get(name, Control()).tasks.get(task, task)
        folders = [trial.output / run_name(*trained(claims, system, name), seed) for seed in seeds]
        by_seed = [read_predictions(f / "evaluation" / "predictions.npz") for f in folders]
        return [run[task] for run in by_seed] if all(task in run for run in by_seed) else None

    rows = []
    for task in claim.tasks:
        metric = claims.METRICS.get(task, claims.METRIC)
        least = claims.MINIMAL_EFFECTS.get(metric, claims.MINIMAL_EFFECT)
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
                    "minimal_effect": least,
                    "above_minimal_effect": effect.low > least,
                    "n": len(own[0].patients),
                }
            )
    return rows


def table(rows: list[dict[str, object]]) -> str:
    """The claims as text."""
    lines = [f"{'system':10}{'task':24}{'control':15}{'value':>7}{'control':>9}   effect [95%]"]
    for r in rows:
        enough = f"> {r['minimal_effect']:.3g}"
        reached = enough if r["above_minimal_effect"] else "> 0" if r["above_zero"] else "no"
        verdict = reached if r["required"] else f"({reached})"
        lines.append(
            f"{r['system']:10}{r['task']:24}{r['control']:15}{r['value']:7.3f}"
            f"{r['control_value']:9.3f}   {r['effect']:+.3f} [{r['low']:+.3f}, {r['high']:+.3f}]  "
            f"{verdict}"
        )
    return "\n".join(lines)
