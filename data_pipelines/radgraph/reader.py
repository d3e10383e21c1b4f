# SPDX-License-Identifier: Apache-2.0
"""Reads RadGraph files: the anatomy and observations that a report names, and how they belong together.

| file | form |
|---|---|
| train.json, dev.json, MIMIC-CXR_graphs.json, CheXpert_graphs.json (RadGraph 1.0.0) | object: report id -> report |
| test.json | the same, entities under labeler_1 and labeler_2: the first is read |
| RadGraph-XL, CXRGraph, output of the radgraph package | the same with labels in words |
| section_findings.json, section_impression.json (CheXpert Plus) | list of objects whose one key is "0" |

A report has text and entities: tokens, label, start_ix and end_ix (places of words, ends included) and
relations [located_at, modify or suggestive_of, entity]. Keys such as
`p10/p10000032/s50414267.txt` name a study of MIMIC-CXR, `patient00001/study1` one of CheXpert.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from etils import epath

from medst_jax.data.records import schema
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing.csv_table import TableError
from medst_jax.data_pipelines.raw import Reject
from medst_jax.files.reading import DamagedDataError, read_json

_CERTAINTY = {
    "DP": schema.POSITIVE,
    "DEFINITELY PRESENT": schema.POSITIVE,
    "DA": schema.NEGATIVE,
    "DEFINITELY ABSENT": schema.NEGATIVE,
    "U": schema.UNCERTAIN,
    "UNCERTAIN": schema.UNCERTAIN,
}
_KINDS = {
    "ANAT": "anatomy",
    "ANATOMY": "anatomy",
    "OBS": "observation",
    "OBSERVATION": "observation",
}
_LABEL = re.compile(r"([A-Z]+)(?:-|::)([A-Z ]+)")
RELATIONS = ("located_at", "modify", "suggestive_of")
_MIMIC = re.compile(r"p\d\d[/_]p(\d+)[/_]s(\d+)(?:\.txt)?", re.ASCII)
_CHEXPERT = re.compile(r"(?:.*[/_])?(patient\d+)[/_](study\d+)(?:[/_.].*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Entity:
    """Words of a report with one meaning.

    kind: anatomy or observation. certainty: 1 present, 0 absent, -1 uncertain. start, end: places
    of the first word and after the last one. relations: (kind, id of another entity).
    """

    words: str
    kind: str
    certainty: int
    start: int
    end: int
    relations: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class EntityReport:
    """A report: (patient, study) as their data sets name them, "" for other keys; its entities by id."""

    study: tuple[str, str]
    text: str
    entities: Mapping[str, Entity]


def read_radgraph(path: epath.PathLike) -> Iterator[EntityReport | Reject]:
    """Reports in the file's order; one that cannot be read comes as a Reject with its 1-based place.

    Raises:
      TableError: the file is not JSON, or neither an object nor a list.
    """
    try:
        content = read_json(path, "fetch it again", (dict, list))
    except DamagedDataError as error:
        raise TableError(str(error)) from error
    for number, (key, values) in enumerate(_entries(content), 1):
        try:
            yield _report(key, values)
        except CellError as error:
            yield Reject(number, str(error))


def study_of(key: str) -> tuple[str, str]:
    """Patient and study that a report's key names.

    >>> study_of("p10/p10000032/s50414267.txt"), study_of("patient00001/study1.txt")
    (('10000032', '50414267'), ('patient00001', 'patient00001/study1'))
    """
    if match := _MIMIC.fullmatch(key):
        return match[1], match[2]
    if match := _CHEXPERT.fullmatch(key):
        return match[1], f"{match[1]}/{match[2]}"
    return "", ""


def _entries(content: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(content, dict):
        yield from content.items()
        return
    for entry in content:
        yield next(iter(entry.items())) if isinstance(entry, dict) and entry else ("", None)


def _report(key: str, values: Any) -> EntityReport:
    if not isinstance(values, dict) or not isinstance(values.get("text"), str):
        raise CellError("report without text")
    annotated = values.get("labeler_1", values)
    entities = annotated.get("entities") if isinstance(annotated, dict) else None
    if not isinstance(entities, dict):
        raise CellError("report without entities")
    read = {str(name): _entity(entity) for name, entity in entities.items()}
    for entity in read.values():
        if any(other not in read for _, other in entity.relations):
            raise CellError("relation to an entity that is not there")
    return EntityReport(study_of(key), values["text"], read)


def _entity(values: Any) -> Entity:
    if not isinstance(values, dict) or not isinstance(values.get("tokens"), str):
        raise CellError("entity without tokens")
    match = _LABEL.fullmatch(str(values.get("label")).upper())
    if match is None or match[1] not in _KINDS or match[2] not in _CERTAINTY:
        raise CellError("entity with an unknown label")
    start, last = values.get("start_ix"), values.get("end_ix")
    if not isinstance(start, int) or not isinstance(last, int) or not 0 <= start <= last:
        raise CellError("entity without places")
    relations = values.get("relations") or []
    if not isinstance(relations, list):
        raise CellError("unknown relation")
    return Entity(
        words=values["tokens"],
        kind=_KINDS[match[1]],
        certainty=_CERTAINTY[match[2]],
        start=start,
        end=last + 1,
        relations=tuple(map(_relation, relations)),
    )


def _relation(relation: Any) -> tuple[str, str]:
    if not isinstance(relation, list) or len(relation) != 2 or relation[0] not in RELATIONS:
        raise CellError("unknown relation")
    return relation[0], str(relation[1])
