# SPDX-License-Identifier: Apache-2.0
"""Entities and places of the reports of a prepared data set, as records beside its studies.

They are mined by the project's own labeler (`medst_jax/text/places.py`), or, for a data set whose
reports RadGraph has read, taken from its file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from etils import epath
from tqdm import tqdm

from medst_jax.data.records import schema
from medst_jax.data.records.annotations import ENTITIES as CONFIG
from medst_jax.data.records.annotations import StudyEntities
from medst_jax.data.records.studies import Studies, open_studies, read_info
from medst_jax.data.records.study import Study
from medst_jax.data_pipelines import annotate
from medst_jax.data_pipelines.dataset_locks import locked_datasets
from medst_jax.data_pipelines.radgraph.places import ReadReports
from medst_jax.text.places import ENTITIES, PLACES, ReportPlaces, locate_report

# Raise them when the same reports, or the same file of RadGraph, give other records.
VERSION, RADGRAPH_VERSION = 1, 2
_NUMBER = {name: number for number, name in enumerate(ENTITIES)}
_PLACE = {name: number for number, name in enumerate(PLACES)}

Locate = Callable[[Study], ReportPlaces | None]


def write_entities(
    data_dir: epath.PathLike,
    name: str,
    radgraph: epath.PathLike | None = None,
    *,
    verify: bool = False,
) -> Mapping[str, Any]:
    """Write the records of every split of a data set, or find them up to date.

    Args:
      data_dir: the folder given to `prepare.py`.
      name: a prepared data set with reports.
      radgraph: RadGraph's file on its reports; None for the project's labeler.
      verify: records that are there count only when every byte is as it was written.

    Returns:
      `dataset.json` of the records.

    Raises:
      MissingDataError: the data set is not prepared.
      TableError: the file is not RadGraph's.
    """
    with locked_datasets(data_dir, [name]):
        return _write_entities(data_dir, name, radgraph, verify)


def _write_entities(
    data_dir: epath.PathLike, name: str, radgraph: epath.PathLike | None, verify: bool
) -> Mapping[str, Any]:
    info = read_info(data_dir, name)
    read = None if radgraph is None else ReadReports(radgraph)
    reader = "labeler" if read is None else f"radgraph {read.digest}"
    made_by = [info["fingerprint"], VERSION, reader]
    if read is not None:
        made_by.append(RADGRAPH_VERSION)
    request = annotate.AnnotationRequest(
        name=name,
        config=CONFIG,
        labels=ENTITIES,
        places=PLACES,
        input_digest=json.dumps(made_by),
        card={
            "description": f"Entities and places of the reports of {name}, by {reader}.",
            "licence": info["licence"],
            "redistributable": info["redistributable"],
        },
        arguments={"radgraph": "" if radgraph is None else epath.Path(radgraph).name},
    )
    existing = annotate.up_to_date(data_dir, request, verify=verify)
    if existing is not None:
        return existing
    locate: Locate = locate_study if read is None else read
    splits = {
        split: study_entities(open_studies(data_dir, name, split), locate)
        for split in info["splits"]
    }
    return annotate.write_annotations(data_dir, request, splits)


def study_entities(studies: Studies, locate: Locate) -> Iterator[StudyEntities]:
    """Yields the record of every study with a report, in order."""
    for row in tqdm(range(len(studies)), desc=f"entities of {studies.name}", unit=" studies"):
        located = locate(studies[row])
        if located is not None:
            yield record(row, located)


def locate_study(study: Study) -> ReportPlaces | None:
    """What the report of a study says, by the project's labeler; None without a report."""
    if not study.sections:
        return None
    return locate_report("\n".join(f"{name}: {text}" for name, text in study.sections))


def record(row: int, located: ReportPlaces) -> StudyEntities:
    """A report's entities and places as they are stored."""
    codes = np.full(len(ENTITIES), schema.BLANK, np.int8)
    for name, code in located.entities.items():
        codes[_NUMBER[name]] = code
    places = [
        (_NUMBER[name], _PLACE[place], code) for (name, place), code in located.places.items()
    ]
    return StudyEntities(row, codes, np.array(sorted(places), np.int32).reshape(-1, 3))
