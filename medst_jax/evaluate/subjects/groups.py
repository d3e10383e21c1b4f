# SPDX-License-Identifier: Apache-2.0
"""Who and how an evaluation image shows: the groups in which a system may do worse."""

import numpy as np

from medst_jax.data.records.studies import Studies

UNKNOWN = "unknown"
_AGES = ((40.0, "under 40"), (65.0, "40 to 64"), (np.inf, "65 and over"))


def image_groups(studies: Studies, rows: np.ndarray) -> dict[str, np.ndarray]:
    """View, sex and age band of the first frontal image of each row.

    Args:
      studies: of a split.
      rows: int [n].

    Returns:
      "view", "sex" and "age" to str [n], `UNKNOWN` where the data do not say.
    """
    attributes = []
    for row in rows:
        study = studies[int(row)]
        frontal = study.frontal()
        attributes.append((frontal.view if frontal else "", study.sex, _band(study.age)))
    names = ("view", "sex", "age")
    columns = zip(*attributes, strict=True) if attributes else ((),) * len(names)
    return {
        name: np.array([value or UNKNOWN for value in column], dtype=str)
        for name, column in zip(names, columns, strict=True)
    }


def _band(age: float) -> str:
    """The band of an age in years; NaN is unknown."""
    return next((name for below, name in _AGES if age < below), UNKNOWN)
