# SPDX-License-Identifier: Apache-2.0
"""How a system does on each group of images, and where it does worst."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.subjects.groups import UNKNOWN
from medst_jax.reality_check.statistics import plain_value

FEWEST = 50  # images of a group that is reported

Groups = Mapping[str, Mapping[str, "GroupValue"]]


@dataclasses.dataclass(frozen=True)
class GroupValue:
    """The metric on the images of one group, a mean over seeds and repeats."""

    value: float
    images: int


def by_group(runs: Sequence[Predictions], metric: str) -> dict[str, dict[str, GroupValue]]:
    """The metric by attribute and group.

    Groups under `FEWEST` images, and images of which the group is unknown, are left out. A metric
    over classes is over those that the group has.
    """
    by_attribute: dict[str, dict[str, GroupValue]] = {}
    for attribute, column in runs[0].groups.items():
        for group in sorted(set(column) - {UNKNOWN}):
            chosen = column == group
            if chosen.sum() < FEWEST:
                continue
            value = float(np.mean([plain_value(run.only(chosen), metric) for run in runs]))
            if math.isfinite(value):
                by_attribute.setdefault(attribute, {})[str(group)] = GroupValue(
                    value, int(chosen.sum())
                )
    return by_attribute


def worst(groups: Groups) -> tuple[str, str, GroupValue] | None:
    """Attribute, group and value where the metric is lowest; None without groups."""
    every = [(a, g, value) for a, column in groups.items() for g, value in column.items()]
    return min(every, key=lambda entry: entry[2].value, default=None)
