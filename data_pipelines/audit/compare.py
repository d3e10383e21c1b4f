# SPDX-License-Identifier: Apache-2.0
"""What two splits share, and whether training would see it.

Within a data set no two splits may share anything. Across data sets only a training split and one
that evaluates matter, and patients whom the evaluating set's `exclude.json` names are dropped
before training, so their images do no harm: such sharing is counted as excluded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from medst_jax.data.records.keys import SecretError
from medst_jax.data_pipelines.audit import perceptual
from medst_jax.data_pipelines.audit.holdings import Holdings


@dataclass(frozen=True)
class Finding:
    """Counts of what two splits share.

    patients: in both. files: images of the second with the same stored bytes as one of the first.
    look_alikes: further images of the second that look like one of the first. Each leaves out
    what is excluded from training, which `excluded` counts (patients and images of the first).
    """

    first: str
    second: str
    patients: int
    files: int
    look_alikes: int
    excluded: int

    @property
    def leaks(self) -> bool:
        """Whether anything is shared that training would see."""
        return bool(self.patients or self.files or self.look_alikes)

    def row(self) -> dict[str, Any]:
        """For the report."""
        return {**asdict(self), "leaks": self.leaks}


def audit(holdings: Sequence[Holdings]) -> list[Finding]:
    """The findings of all pairs of splits that must not share anything and do share something."""
    findings = (compare(first, second) for first, second in _pairs(holdings))
    return [finding for finding in findings if finding.leaks or finding.excluded]


def _pairs(holdings: Sequence[Holdings]) -> Iterator[tuple[Holdings, Holdings]]:
    for first, second in combinations(holdings, 2):
        if first.dataset == second.dataset or first.evaluates != second.evaluates:
            # The training split comes first.
            yield (second, first) if first.evaluates else (first, second)


def compare(first: Holdings, second: Holdings) -> Finding:
    """What the second split shares with the first, which is the training one if either is.

    Raises:
      SecretError: the keys of their patients cannot be compared.
    """
    if first.secret_id != second.secret_id:
        raise SecretError(
            f"the keys of {first.dataset!r} and {second.dataset!r} are of different secrets and "
            "cannot be compared: prepare both again in one folder, or with one --salt_file"
        )
    excluded = np.zeros(0, np.uint64) if first.dataset == second.dataset else second.excluded
    dropped = np.isin(first.patients, excluded)
    trained = ~np.isin(first.owners, excluded)
    patients = np.intersect1d(first.patients[~dropped], second.patients)
    same = np.isin(second.files, first.files[trained])
    alike = np.zeros(len(second.files), bool)
    # Images of one patient look alike; those of a patient in both splits are counted as such.
    stranger = ~np.isin(second.owners, patients) & ~same
    rows = np.flatnonzero(stranger)
    alike[rows] = perceptual.has_near(second.hashes[rows], first.hashes[trained])
    return Finding(
        first=f"{first.dataset}/{first.split}",
        second=f"{second.dataset}/{second.split}",
        patients=len(patients),
        files=int(same.sum()),
        look_alikes=int(alike.sum()),
        excluded=int(dropped.sum()),
    )
