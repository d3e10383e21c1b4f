# SPDX-License-Identifier: Apache-2.0
"""Rows and columns of published tables, as plain values."""

from collections.abc import Mapping
from typing import Any

FINDINGS = ("Consolidation", "Edema", "Pleural Effusion", "Pneumonia", "Pneumothorax")
# How tables of these five head their columns.
_SHORT = ("Cons.", "Edema", "Pl. effusion", "Pneumonia", "PTX")


def rows(values: Mapping[str, tuple[Any, ...]], further: int = 0) -> tuple[dict[str, Any], ...]:
    """Rows of a table.

    Args:
      values: method to its published numbers.
      further: columns after them, of which nothing was published.

    >>> rows({"MRM": (49.03,)}, 1)
    ({'method': 'MRM', 'values': (49.03, None)},)
    """
    return tuple(
        dict(method=name, values=(*numbers, *[None] * further)) for name, numbers in values.items()
    )


def finding_columns(task: str, part: str, metric: str) -> tuple[dict[str, Any], ...]:
    """A column for each of the five findings of `temporal_classification`, and their mean."""
    of_each = [
        dict(name=short, task=f"{task}/{name}/{part}", metric=metric)
        for short, name in zip(_SHORT, FINDINGS, strict=True)
    ]
    return (*of_each, dict(name="Avg", task=f"{task}/mean/{part}", metric=metric))
