# SPDX-License-Identifier: Apache-2.0
"""A table's own No Finding beside what the reports say, for the data card.

A released table keeps its column, whatever rule made it. Where it disagrees with the rule by which
this project reads reports (`text.no_finding`), the card says how often.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from medst_jax.data.records import schema
from medst_jax.data.records.study import Study
from medst_jax.text.labeler import label_findings
from medst_jax.text.no_finding import NO_FINDING

_ENGLISH = "en"


def no_finding_statistics(studies: Iterable[Study], labels: Sequence[str]) -> dict[str, int]:
    """Counts over the studies that have an English report and a table's word on No Finding.

    Args:
      studies: of one data set.
      labels: its vocabulary.

    Returns:
      "studies" compared, of these "table_alone" where only the table says No Finding, and
      "report_alone" where only the report does; empty where there is nothing to compare.
    """
    if NO_FINDING not in labels:
        return {}
    place = list(labels).index(NO_FINDING)
    counts = {"studies": 0, "table_alone": 0, "report_alone": 0}
    for study in studies:
        code = study.labels[place]
        if not study.sections or study.language != _ENGLISH or code == schema.OUTSIDE:
            continue
        # A section without a heading of its own is stored under a name in small letters.
        report = "\n\n".join(
            f"{name}:\n{text}" if name.isupper() else text for name, text in study.sections
        )
        said = label_findings(report).get(NO_FINDING) == schema.POSITIVE
        counts["studies"] += 1
        counts["table_alone"] += int(code == schema.POSITIVE and not said)
        counts["report_alone"] += int(said and code != schema.POSITIVE)
    return counts if counts["studies"] else {}
