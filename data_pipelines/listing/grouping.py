# SPDX-License-Identifier: Apache-2.0
"""Items -> patients, and a patient's items -> studies in time order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from medst_jax.data_pipelines.listing import splits
from medst_jax.data_pipelines.listing.csv_table import TableError
from medst_jax.data_pipelines.listing.item import Item


@dataclass(frozen=True)
class Patient:
    """One patient: all items, in the table's order."""

    patient_id: str
    split: str
    items: tuple[Item, ...]


def group_patients(items: Iterable[Item]) -> list[Patient]:
    """Patients in order of appearance.

    Raises:
      TableError: patients whose rows lie in two splits; named by line, never by id.
    """
    by_patient: dict[str, list[Item]] = {}
    for item in items:
        by_patient.setdefault(item.patient_id, []).append(item)
    _check_splits(by_patient.values())
    return [
        Patient(patient_id, _split(members), tuple(members))
        for patient_id, members in by_patient.items()
    ]


def _check_splits(patients: Iterable[Sequence[Item]]) -> None:
    torn = [items for items in patients if len({i.split for i in items if i.split}) > 1]
    if torn:
        first = torn[0]
        other = next(i for i in first if i.split and i.split != first[0].split)
        raise TableError(
            f"{len(torn)} patient(s) lie in more than one split, the first by lines "
            f"{first[0].row} ({first[0].split or 'none'}) and {other.row} ({other.split}): "
            "give every row of a patient the same split, or leave the column empty"
        )


def _split(items: Sequence[Item]) -> str:
    given = next((item.split for item in items if item.split), "")
    return given or splits.hashed_split(items[0].patient_id)


def studies_in_order(items: Sequence[Item]) -> tuple[tuple[Item, ...], ...]:
    """The studies of one patient in time order, each the items of its images."""
    groups = _studies(items)
    for column in ("order", "day"):
        places = [first_known(getattr(item, column) for item in group) for group in groups]
        if not any(math.isnan(place) for place in places):
            ordered = sorted(range(len(groups)), key=lambda k, places=places: places[k])  # type: ignore[misc]
            return tuple(groups[k] for k in ordered)
    return tuple(groups)


def _studies(items: Sequence[Item]) -> list[tuple[Item, ...]]:
    given: dict[str, dict[str, int]] = {}
    for item in items:
        if item.labels:
            given.setdefault(item.study_id, dict(item.labels))
    # Labels belong to a study, so items whose labels differ part; those without go with the first.
    studies: dict[tuple[str, ...], list[Item]] = {}
    for item in items:
        labels = item.labels or given.get(item.study_id, {})
        codes = (f"{label}={code}" for label, code in sorted(labels.items()))
        studies.setdefault((item.study_id, *codes), []).append(item)
    return [tuple(group) for group in studies.values()]


def first_known(values: Iterable[float]) -> float:
    """The first number that is not NaN; NaN when there is none."""
    return next((value for value in values if not math.isnan(value)), math.nan)
