# SPDX-License-Identifier: Apache-2.0
"""Choosing few-shot training sets.

The order is DLILP's (SYSTEMS of arXiv:2504.05227): shuffle all training images with
`random.Random(seed)`, then the first K of each class, so that 2 shots contain the 1 shot of the
same seed. Classes that end up smaller are balanced by oversampling with replacement.
"""

import random
from collections.abc import Sequence

import numpy as np


def shuffled(count: int, seed: int) -> list[int]:
    """0 .. count-1 in the order of this seed."""
    order = list(range(count))
    random.Random(seed).shuffle(order)
    return order


def take_shots(targets: np.ndarray, shots: int, seed: int) -> np.ndarray:
    """The first `shots` images of each class in the order of the seed.

    Args:
      targets: int [n] classes; negative ones are never taken.
      shots: K; a class with fewer images gives all it has, oversampled to K.
      seed: of the order.

    Returns:
      int [C * K] positions in `targets`, class after class.
    """
    order = shuffled(len(targets), seed)
    return balanced(
        [[i for i in order if targets[i] == c][:shots] for c in _classes(targets)], seed
    )


def take_fraction(targets: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """The first `fraction` of each class (cut to whole images, at least one), then balanced."""
    order = shuffled(len(targets), seed)
    members = [[i for i in order if targets[i] == c] for c in _classes(targets)]
    return balanced([m[: max(1, int(len(m) * fraction))] for m in members], seed)


def balanced(members: Sequence[list[int]], seed: int) -> np.ndarray:
    """All classes at the size of the largest, by sampling with replacement what is missing."""
    rng = random.Random(seed)
    size = max(len(m) for m in members)
    return np.asarray([i for m in members for i in m + rng.choices(m, k=size - len(m))])


def released_split(
    targets: np.ndarray, test_fraction: float, amount: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Train and test positions of DLILP's release: of each class the first images test, the next train.

    Patients are not kept apart: a patient of several images may be on both sides.

    Args:
      targets: int [n] classes; negative ones are left out.
      test_fraction: of each class, cut to whole images.
      amount: training images of each class; or minus their fraction of the class. Balanced.
      seed: of the order.
    """
    order = shuffled(len(targets), seed)
    train, test = [], []
    for c in _classes(targets):
        members = [i for i in order if targets[i] == c]
        first = int(len(members) * test_fraction)
        wanted = int(amount) if amount > 0 else max(1, int(len(members) * -amount))
        test += members[:first]
        train.append(members[first : first + wanted])
    if not all(train):
        raise ValueError("a class has too few images to test some of them and train on others")
    return balanced(train, seed), np.asarray(test)


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
    test_patients = people[: max(1, round(len(people) * test_fraction))]
    test = np.isin(patients, test_patients)
    return np.flatnonzero(~test), np.flatnonzero(test)


def _classes(targets: np.ndarray) -> list[int]:
    return [int(c) for c in np.unique(targets[targets >= 0])]
