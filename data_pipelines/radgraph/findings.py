# SPDX-License-Identifier: Apache-2.0
"""CheXpert classes from the entities of a report."""

from __future__ import annotations

from collections.abc import Iterator

from medst_jax.data.records import schema
from medst_jax.data_pipelines.radgraph.reader import Entity, EntityReport
from medst_jax.text.labeler import label_sentence

# A class that is present somewhere is present; a doubt weighs more than a denial.
_WEIGHT = {schema.POSITIVE: 2, schema.UNCERTAIN: 1, schema.NEGATIVE: 0}


def finding_codes(report: EntityReport) -> dict[str, int]:
    """Codes 1, 0 and -1 of the classes that the report's observations name; others are absent.

    An observation is read with the anatomy it is located at and the words that modify either, by the
    project's labeler; whether it is there is what RadGraph says.
    """
    codes: dict[str, int] = {}
    for words, certainty in finding_words(report):
        # "" is an abnormality outside the classes.
        for label in filter(None, label_sentence(words)):
            codes[label] = stronger(codes.get(label, certainty), certainty)
    return codes


def finding_words(report: EntityReport) -> Iterator[tuple[str, int]]:
    """The words and the certainty of each observation that modifies no other."""
    for name, entity in report.entities.items():
        if entity.kind == "observation" and not any(k == "modify" for k, _ in entity.relations):
            yield _phrase(report, name, entity), entity.certainty


def stronger(code: int, other: int) -> int:
    """Of two certainties the one that counts: presence, then doubt, then denial."""
    return max(code, other, key=_WEIGHT.__getitem__)


def _phrase(report: EntityReport, name: str, entity: Entity) -> str:
    """The words of an observation, of its place and of what modifies either, in the report's order.

    A side or a zone modifies the anatomy, not the observation: "left" the "pleural" of an effusion.
    """
    names = [name, *(other for kind, other in entity.relations if kind == "located_at")]
    for known in names:  # grows: what modifies a modifier is read too
        names += [
            other
            for other, e in report.entities.items()
            if ("modify", known) in e.relations and other not in names
        ]
    parts = sorted((report.entities[n] for n in dict.fromkeys(names)), key=lambda part: part.start)
    return " ".join(part.words for part in parts)
