# SPDX-License-Identifier: Apache-2.0
"""Who comes before whom: priors and patients of a split, by arithmetic on its index."""

import numpy as np

NO_PRIOR = -1


def prior_rows(patient: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Each study's most recent earlier study of the same patient.

    Args:
      patient: int [n], in patient and time order, as an index holds it.
      usable: bool [n], which studies may serve as a prior (those with a frontal image).

    Returns:
      int64 [n], rows of the same arrays; -1 where there is none.

    >>> prior_rows(np.array([7, 7, 7, 8]), np.array([True, False, True, True])).tolist()
    [-1, 0, 0, -1]
    """
    rows = np.arange(len(patient), dtype=np.int64)
    seen = np.maximum.accumulate(np.where(usable, rows, NO_PRIOR)) if len(rows) else rows
    # Shifted by one: a study is not its own prior.
    before = np.concatenate([[NO_PRIOR], seen[:-1]]).astype(np.int64)[: len(rows)]
    # The last usable study may be of the patient before.
    same = (before >= 0) & (patient[before] == patient)
    return np.where(same, before, NO_PRIOR)


def patient_counts(patient: np.ndarray) -> np.ndarray:
    """Studies of each patient, int64, in the order of the patients.

    >>> patient_counts(np.array([7, 7, 8, 9, 9])).tolist()
    [2, 1, 2]
    """
    starts = np.flatnonzero(np.diff(patient, prepend=-1))
    return np.diff(np.append(starts, len(patient)))


def patient_slices(patient: np.ndarray) -> list[slice]:
    """Where each patient's studies lie, in the order of the patients.

    >>> patient_slices(np.array([7, 7, 8, 9, 9]))
    [slice(0, 2, None), slice(2, 3, None), slice(3, 5, None)]
    """
    ends = np.cumsum(patient_counts(patient)).tolist()
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def other_patients(patient: np.ndarray) -> np.ndarray:
    """For each of n studies the position of one of another patient, int64 [n].

    Half the list away in the order of patients, so that it is another's unless one patient has more
    than half of all studies; every position is given once.

    >>> other_patients(np.array([7, 9, 7, 8])).tolist()
    [3, 2, 1, 0]
    """
    order = np.argsort(patient, kind="stable")
    other = np.empty(len(patient), np.int64)
    other[order] = np.roll(order, len(order) // 2)
    return other
