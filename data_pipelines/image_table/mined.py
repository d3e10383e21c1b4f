# SPDX-License-Identifier: Apache-2.0
"""Labels read out of reports, for tables that have reports and no labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from medst_jax.data.records import schema
from medst_jax.data_pipelines.listing.item import Item
from medst_jax.data_pipelines.listing.sentences import SentenceLabeler
from medst_jax.text.labeler import label_findings, label_sentence
from medst_jax.text.language import is_foreign
from medst_jax.text.mentions import FINDINGS
from medst_jax.text.sections import has_headings
from medst_jax.text.union import UNION, label_union, label_union_sentence


class Labeler(NamedTuple):
    """How reports and sentences are labelled, and with which classes."""

    report: Callable[[str], Mapping[str, int]]
    sentence: SentenceLabeler
    classes: tuple[str, ...]


LABELERS: Mapping[str, Labeler] = {
    "findings": Labeler(label_findings, label_sentence, tuple(FINDINGS)),
    "union": Labeler(label_union, label_union_sentence, UNION),
}


def with_mined(items: Sequence[Item], labeler: Labeler) -> list[Item]:
    """The items, those of a study without labels with the labels of its English report.

    What a report does not mention is blank, not negative. A report that is plainly in another
    language gives no labels, whatever the table says of its language.
    """
    reports: dict[tuple[str, str], dict[str, None]] = {}
    labelled = {(item.patient_id, item.study_id) for item in items if item.labels}
    for item in items:
        if _english(item):
            reports.setdefault((item.patient_id, item.study_id), {})[item.report] = None
    mined = {
        study: _labels("\n".join(texts), labeler)
        for study, texts in reports.items()
        if study not in labelled
    }
    return [
        dataclasses.replace(item, labels=mined.get((item.patient_id, item.study_id), item.labels))
        for item in items
    ]


def report_counts(items: Sequence[Item]) -> dict[str, int]:
    """Of the different reports: how many were read, had no heading, were in another language."""
    reports = {item.report: item for item in items if item.report}
    read = [report for report, item in reports.items() if _english(item)]
    return {
        "reports_read": len(read),
        "reports_without_headings": sum(not has_headings(report) for report in read),
        "reports_in_another_language": len(reports) - len(read),
    }


def _english(item: Item) -> bool:
    return bool(item.report) and item.language == "en" and not is_foreign(item.report)


def _labels(report: str, labeler: Labeler) -> dict[str, int]:
    codes = labeler.report(report)
    return {name: codes.get(name, schema.BLANK) for name in labeler.classes}
