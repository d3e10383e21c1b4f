# SPDX-License-Identifier: Apache-2.0
"""Paired differences between systems, one number of each task, tested together."""

import dataclasses
import itertools
from collections.abc import Sequence

from medst_jax.comparison.evaluated import Evaluated, shared_parts
from medst_jax.evaluate.report.page import HEADLINES
from medst_jax.evaluate.statistics.bootstrap import REPLICATES
from medst_jax.evaluate.statistics.measure import available
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.statistics.rows import SMALL
from medst_jax.reality_check.statistics import (
    Difference,
    bootstrap_replicates,
    difference,
    holm,
    plain_value,
)


@dataclasses.dataclass(frozen=True)
class Asked:
    """The number that stands for a task: its part, and the metric."""

    part: str
    metric: str


@dataclasses.dataclass(frozen=True)
class Compared:
    """First minus second on one task.

    Attributes:
      asked: what was measured.
      first, second: names of the systems.
      difference: with its interval over patients and its own p-value; None where a class has too
        few images for an interval.
      value: of the difference.
      p_holm: adjusted for all tests of the comparison; None where there is no test.
    """

    asked: Asked
    first: str
    second: str
    value: float
    difference: Difference | None
    p_holm: float | None = None


def asked_of(systems: Sequence[Evaluated]) -> list[Asked]:
    """One number of each task: the main metric of the last part that every system has."""
    parts = shared_parts(systems)
    last = {part.partition("/")[0]: part for part in parts}
    return [Asked(part, _main(systems[0].predictions[part])) for part in last.values()]


def differences(
    systems: Sequence[Evaluated], *, replicates: int = REPLICATES, seed: int = 0
) -> list[Compared]:
    """Every pair of systems on every task, p-values adjusted by Holm over all of them.

    Args:
      systems: two or more, on the same test images.
      replicates, seed: of the patient bootstrap, whose replicates all systems share.

    Raises:
      ValueError: the systems were not evaluated on the same test images.
    """
    compared = []
    for asked in asked_of(systems):
        tested = not any(_small(system, asked) for system in systems)
        runs = {
            s.name: bootstrap_replicates(
                s.predictions[asked.part], asked.metric, replicates=replicates, seed=seed
            )
            for s in (systems if tested else ())
        }
        values = {s.name: plain_value(s.predictions[asked.part], asked.metric) for s in systems}
        for first, second in itertools.combinations(values, 2):
            paired = difference(runs[first], runs[second]) if tested else None
            value = values[first] - values[second]
            compared.append(Compared(asked, first, second, value, paired))
    adjusted = holm({str(k): c.difference.p for k, c in enumerate(compared) if c.difference})
    return [dataclasses.replace(c, p_holm=adjusted.get(str(k))) for k, c in enumerate(compared)]


def _main(predictions: Predictions) -> str:
    """The first headline that the predictions have, else their first metric."""
    names = available(predictions)
    return next((name for name in HEADLINES if name in names), names[0])


def _small(system: Evaluated, asked: Asked) -> bool:
    row = system.row(asked.part, asked.metric)
    return row is not None and SMALL in row.note
