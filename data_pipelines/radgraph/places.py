# SPDX-License-Identifier: Apache-2.0
"""Entities and places of reports that RadGraph has read."""

from __future__ import annotations

import hashlib

from etils import epath

from medst_jax.data.records.study import Study
from medst_jax.data_pipelines.radgraph.findings import finding_words, stronger
from medst_jax.data_pipelines.radgraph.reader import EntityReport, read_radgraph
from medst_jax.data_pipelines.raw import Reject
from medst_jax.text.places import ReportPlaces, locate_sentence


class ReadReports:
    """The reports of a file, by the study that they are of.

    Args:
      path: of RadGraph's file, whose keys name studies of MIMIC-CXR or CheXpert.

    Raises:
      TableError: the file is not RadGraph's.
    """

    def __init__(self, path: epath.PathLike) -> None:
        self.digest = hashlib.sha256(epath.Path(path).read_bytes()).hexdigest()[:16]
        self._reports = {
            report.study[1]: report
            for report in read_radgraph(path)
            if not isinstance(report, Reject)
        }

    def __call__(self, study: Study) -> ReportPlaces | None:
        """What the report of a study says; None where the file lacks it."""
        report = self._reports.get(study.study_id)
        return None if report is None else report_places(report)


def report_places(report: EntityReport) -> ReportPlaces:
    """Entities and places of a report.

    The words of an observation, of its place and of what modifies either are read by the project's
    labeler; whether it is there is what RadGraph says.
    """
    entities: dict[str, int] = {}
    places: dict[tuple[str, str], int] = {}
    for words, certainty in finding_words(report):
        located = locate_sentence(words)
        for name in located.entities:
            entities[name] = stronger(entities.get(name, certainty), certainty)
        for key in located.places:
            places[key] = stronger(places.get(key, certainty), certainty)
    return ReportPlaces(entities, places)
