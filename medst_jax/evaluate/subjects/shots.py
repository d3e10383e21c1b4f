# SPDX-License-Identifier: Apache-2.0
"""Drawing few-shot training sets.

The order is DLILP's (SYSTEMS of arXiv:2504.05227): shuffle all training images with
`random.Random(draw)`, then the first K of each class, so that 2 shots contain the 1 shot of the
same draw. Classes that end up smaller are balanced by oversampling with replacement.
"""

import random
from collections.abc import Sequence

import numpy as np


def shuffled(count: int, draw: int) -> list[int]:
    """0 .. count-1 in the order of this draw."""
    order = list(range(count))
    random.Random(draw).shuffle(order)
    return order


def take_shots(targets: np.ndarray, shots: int, draw: int) -> np.ndarray:
    """The first `shots` images of each class in the order of the draw.

    Args:
      targets: int [n] classes; negative ones are never taken.
      shots: K; a class with fewer images gives all it has, oversampled to K.
      draw: number of the draw.

    Returns:
      int [C * K] positions in `targets`, class after class.
    """
    order = shuffled(len(targets), draw)
    return balanced(
        [[i for i in order if targets[i] == c][:shots] for c in _classes(targets)], draw
    )


def take_fraction(targets: np.ndarray, fraction: float, draw: int) -> np.ndarray:
    """The first `fraction` of each class (cut to whole images, at least one), then balanced."""
    order = shuffled(len(targets), draw)
    members = [[i for i in order if targets[i] == c] for c in _classes(targets)]
    return balanced([m[: max(1, int(len(m) * fraction))] for m in members], draw)


def balanced(members: Sequence[list[int]], draw: int) -> np.ndarray:
    """All classes at the size of the largest, by drawing with replacement what is missing."""
    rng = random.Random(draw)
    size = max(len(m) for m in members)
    return np.asarray([i for m in members for i in m + rng.choices(m, k=size - len(m))])


def split_patients(
    patients: np.ndarray, test_fraction: float, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Train and test positions such that no patient is on both sides.

    Args:
      patients: int [n].
      test_fraction: of the patients, rounded to the nearest, at least one.
      seed: of the shuffle of patients.
    """
    people = [int(p) for p in np.unique(patients)]
    random.Random(seed).shuffle(people)
    held_out = people[: max(1, round(len(people) * test_fraction))]
    test = np.isin(patients, held_out)
    return np.flatnonzero(~test), np.flatnonzero(test)


def _classes(targets: np.ndarray) -> list[int]:
    return [int(c) for c in np.unique(targets[targets >= 0])]
