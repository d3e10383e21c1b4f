# SPDX-License-Identifier: Apache-2.0
"""What a comparison reads of each system: the rows and the predictions of one evaluation."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from medst_jax.evaluate.statistics.predictions import Predictions, read_predictions
from medst_jax.evaluate.statistics.rows import FAILED, Row, read_rows


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """One system's evaluation.

    Attributes:
      name: that tells the systems of a comparison apart.
      source: what was evaluated, as the user named it.
      rows: one number each, failed tasks left out.
      predictions: by "task" or "task/part".
      workdir: of its training; None where there is none on this machine.
    """

    name: str
    source: str
    rows: Sequence[Row]
    predictions: Mapping[str, Predictions]
    workdir: pathlib.Path | None = None

    def row(self, part: str, metric: str) -> Row | None:
        """The row of a metric of "task" or "task/part"."""
        return next((r for r in self.rows if (r.task, r.metric) == (part, metric)), None)


def read_evaluated(
    name: str, source: str, folder: pathlib.Path, workdir: pathlib.Path | None
) -> Evaluated:
    """The evaluation that `launch/evaluate.py` wrote into a folder.

    Raises:
      FileNotFoundError: the folder holds none.
      DamagedDataError: its files cannot be read.
    """
    rows = [row for row in read_rows(folder / "metrics.json") if row.metric != FAILED]
    return Evaluated(name, source, rows, read_predictions(folder / "predictions.npz"), workdir)


def shared_parts(systems: Sequence[Evaluated]) -> list[str]:
    """The parts that every system has predictions of, in the order of the first.

    Raises:
      ValueError: there are none, or a part was measured on other test images.
    """
    first, *others = systems
    parts = [p for p in first.predictions if all(p in other.predictions for other in others)]
    if not parts:
        raise ValueError(
            f"{', '.join(system.name for system in systems)} have no task in common; evaluate all of "
            "them by one suite"
        )
    for other in others:
        for part in parts:
            if why := _differ(first, other, part):
                raise ValueError(
                    f"{first.name} and {other.name} cannot be compared on {part!r}: {why}; evaluate "
                    "both by one suite on one build of the data"
                )
    return parts


def _differ(first: Evaluated, second: Evaluated, part: str) -> str:
    """Why two evaluations of a part are not of the same test images; empty where they are."""
    mine, other = first.predictions[part], second.predictions[part]
    data = [{r.dataset for r in system.rows if r.task == part} for system in (first, second)]
    if all(data) and data[0] != data[1]:
        return f"their test data are {' and '.join(map(_listed, data))}"
    if (mine.kind, mine.classes) != (other.kind, other.classes):
        return "their classes differ"
    if len(mine.patients) != len(other.patients):
        return f"their test sets have {len(mine.patients)} and {len(other.patients)} images"
    if not np.array_equal(mine.patients, other.patients):
        return "their test sets are of different patients"
    if not np.array_equal(mine.targets, other.targets):
        return "their test sets have different labels"
    return ""


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))
