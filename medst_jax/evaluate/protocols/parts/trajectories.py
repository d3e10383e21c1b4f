# SPDX-License-Identifier: Apache-2.0
"""Predicted severity over a patient's days, beside the reference grades.

Follows the clinical trajectory of Liao et al. (arXiv:2103.04537): the patients with the most graded
studies, those whose grade changes most first.
"""

import numpy as np

from medst_jax.evaluate.statistics.outcome import Trajectory

COUNT = 6


def trajectories(
    probabilities: np.ndarray, grades: np.ndarray, patients: np.ndarray, days: np.ndarray
) -> tuple[Trajectory, ...]:
    """The `COUNT` longest trajectories of three studies or more.

    Args:
      probabilities: [n, 4] of the grades.
      grades: int [n].
      patients: int [n].
      days: float [n], since each patient's first study; studies of unknown day are left out.
    """
    levels = np.arange(probabilities.shape[1])
    expected = probabilities @ levels
    deviation = np.sqrt(np.maximum(probabilities @ levels**2 - expected**2, 0.0))
    candidates = []
    for patient in np.unique(patients):
        rows = np.flatnonzero((patients == patient) & ~np.isnan(days))
        rows = rows[np.argsort(days[rows], kind="stable")]
        if len(rows) > 2:
            change = int(np.ptp(grades[rows]))
            candidates.append((-len(rows), -change, int(patient), rows))
    return tuple(
        Trajectory(days[rows] - days[rows[0]], expected[rows], deviation[rows], grades[rows])
        for _, _, _, rows in sorted(candidates, key=lambda entry: entry[:3])[:COUNT]
    )
