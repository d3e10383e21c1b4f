# SPDX-License-Identifier: Apache-2.0
"""What a build of a listing would hold, in lines for its owner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from medst_jax.data.records import schema
from medst_jax.data_pipelines.listing.grouping import group_patients
from medst_jax.data_pipelines.listing.item import Item, Listing
from medst_jax.data_pipelines.raw import Reject

_CODES = {
    schema.POSITIVE: "positive",
    schema.NEGATIVE: "negative",
    schema.UNCERTAIN: "uncertain",
    schema.BLANK: "not mentioned",
    schema.OUTSIDE: "unknown",
}


def summary_lines(listing: Listing) -> list[str]:
    """Patients, images, splits, views, reports, labels by code, and rejects by reason."""
    items = listing.items
    patients = group_patients(items)
    views = Counter(item.view for item in items if item.path)
    splits: Counter[str] = Counter()
    for patient in patients:
        splits[patient.split] += len(patient.items)
    reports = sum(bool(item.report or item.report_path or item.sections) for item in items)
    images = sum(views.values())
    return [
        f"rows: {len(items):,} of {len(patients):,} patients, {images:,} images, {reports:,} reports",
        f"splits: {_counts(splits)}",
        f"views: {_counts(views)}",
        *label_lines(items, listing.labels),
        *(f"rejected {line}" for line in rejected_lines(listing.rejects)),
    ]


def label_lines(items: Iterable[Item], labels: Sequence[str]) -> list[str]:
    """How many rows have each code of each class."""
    counts: Counter[tuple[str, int]] = Counter()
    rows = 0
    for item in items:
        rows += 1
        counts.update(item.labels.items())
    lines = []
    for label in labels:
        given = {code: counts[label, code] for code in _CODES}
        given[schema.OUTSIDE] += rows - sum(given.values())
        parts = (f"{given[code]:,} {word}" for code, word in _CODES.items() if given[code])
        lines.append(f"label {label}: {', '.join(parts)}")
    return lines


def rejected_lines(rejects: Sequence[Reject]) -> list[str]:
    """How many rows each reason has, the most frequent first, with the first of them."""
    lines: dict[str, list[int]] = {}
    for reject in rejects:
        lines.setdefault(reject.reason, []).append(reject.row)
    ordered = sorted(lines.items(), key=lambda pair: -len(pair[1]))
    return [f"{len(rows):,}: {reason} (line {min(rows)})" for reason, rows in ordered]


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counter.most_common()) or "none"
