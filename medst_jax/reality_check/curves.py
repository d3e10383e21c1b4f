# SPDX-License-Identifier: Apache-2.0
"""Numbers of a row that a figure shows as curves: against training images, and by finding."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from medst_jax.evaluate.statistics.measure import available
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.reality_check.statistics import plain_value

_SHOTS = re.compile(r"(.+)/(\d+) shots")
Runs = Sequence[Mapping[str, Predictions]]


def shot_curves(runs: Runs) -> dict[str, list[tuple[int, float]]]:
    """Of each task probed with several numbers of shots, (shots, value): the first metric, a mean
    over seeds and sets of shots."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for name in runs[0] if runs else ():
        match = _SHOTS.fullmatch(name)
        if match and all(name in run for run in runs):
            metric = available(runs[0][name])[0]
            value = float(np.mean([plain_value(run[name], metric) for run in runs]))
            curves.setdefault(match[1], []).append((int(match[2]), value))
    return {task: sorted(points) for task, points in curves.items() if len(points) > 1}


def finding_values(runs: Runs, task: str) -> dict[str, float]:
    """AUROC of each class of a task, a mean over seeds; classes without positives are left out."""
    having = [run[task] for run in runs if task in run]
    if not having or len(having) < len(runs):
        return {}
    values = {
        name: float(np.mean([plain_value(run, f"auroc/{name}") for run in having]))
        for name in having[0].classes
    }
    return {name: value for name, value in values.items() if np.isfinite(value)}
