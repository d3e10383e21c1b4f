# SPDX-License-Identifier: Apache-2.0
"""Entities and places of the studies of a data set, whole in memory: a kilobyte a report or less."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from etils import epath

from medst_jax.command_line import user_command
from medst_jax.data.mixture.data_options import DataOptions
from medst_jax.data.mixture.labels import label_key
from medst_jax.data.randomness import rotation
from medst_jax.data.records.annotations import (
    ENTITIES,
    annotation_dir,
    read_annotation_info,
)
from medst_jax.data.records.parse import Record
from medst_jax.data.records.schema import (
    BLANK,
    NEGATIVE,
    OUTSIDE,
    POSITIVE,
    UNCERTAIN,
)
from medst_jax.data.records.studies import MissingDataError, Studies
from medst_jax.options import OptionError

_CERTAINTY = {
    POSITIVE: "definitely present",
    NEGATIVE: "definitely absent",
    UNCERTAIN: "uncertain",
}
_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class EntityTable:
    """Of n studies, which of Q entities their reports mention, and where those that are present are.

    names: of the entities, Q. codes: int8 [n, Q]. first: int64 [n + 1], where the places of each study begin. entity, place:
    int16 [N], a true place of an entity; a study's are in the order of entities. places: K.
    fingerprint: of the records.
    """

    names: tuple[str, ...]
    codes: np.ndarray
    first: np.ndarray
    entity: np.ndarray
    place: np.ndarray
    places: int
    fingerprint: str

    def rows(self, studies: np.ndarray, variates: np.ndarray) -> dict[str, np.ndarray]:
        """The batch keys of entities for studies [B].

        Args:
          studies: int [B].
          variates: [B] in [0, 1), by which one of several true places is chosen.
        """
        codes = self.codes[studies]
        true = np.zeros((*codes.shape, self.places), bool)
        counts = self.first[studies + 1] - self.first[studies]
        row = np.repeat(np.arange(len(studies)), counts)
        within = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        at = self.first[studies][row] + within
        true[row, self.entity[at], self.place[at]] = True
        number = true.sum(axis=2)
        # One number a row, moved on for each entity: a choice of its own for each of them.
        moved = (variates[:, None] + _GOLDEN * np.arange(codes.shape[1])) % 1.0
        chosen = (moved * number).astype(np.int64) + 1
        nth = np.cumsum(true, axis=2) == chosen[..., None]
        place = np.where(number > 0, np.argmax(nth & true, axis=2), -1)
        return {
            "entities": codes,
            "entity_place": place.astype(np.int16),
            "entity_places": true,
        }

    def sentences(self, study: int, union: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
        """What a report says of the entities it mentions, as KAD writes it: "name certainty".

        Args:
          study: whose report.
          union: classes, whose codes each sentence has where an entity is one of them.

        Returns:
          K sentences, in the order of the entities, and their codes int8 [K, C].
        """
        columns = {label_key(name): k for k, name in enumerate(union)}
        codes_by_name = zip(self.names, self.codes[study].tolist(), strict=True)
        mentioned = [(name, code) for name, code in codes_by_name if code in _CERTAINTY]
        codes = np.full((len(mentioned), len(union)), BLANK, np.int8)
        for row, (name, code) in enumerate(mentioned):
            if label_key(name) in columns:
                codes[row, columns[label_key(name)]] = code
        return tuple(f"{name} {_CERTAINTY[code]}" for name, code in mentioned), codes

    def with_places_of_others(self, rows: np.ndarray, seed: int, name: str) -> EntityTable:
        """The same where every entity has the places that it has in another of the studies `rows`."""
        count = len(self.codes)
        study = np.repeat(np.arange(count), np.diff(self.first))
        moved = study.copy()
        for q in np.unique(self.entity).tolist():
            own = self.entity == q
            having = np.intersect1d(study[own], rows)
            if len(having) > 1:
                target = np.arange(count)
                target[having] = having[rotation(len(having), seed, f"places {name} {q}")]
                moved[own] = target[study[own]]
        order = np.lexsort([self.place, self.entity, moved])
        first = np.searchsorted(moved[order], np.arange(count + 1))
        return replace(self, first=first, entity=self.entity[order], place=self.place[order])


def has_entities(studies: Studies) -> bool:
    """Whether entities have been mined from the reports of a data set's split."""
    info = _info(studies)
    return info is not None and studies.split in info["splits"]


def entities_line(name: str) -> str:
    """The command that mines the reports of a data set."""
    return f"{user_command('prepare')} --entities={name} --data_dir=DATA_DIR"


def mixture_entities(options: DataOptions) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The entities that are asked about and the places they may have, over the data sets.

    Raises:
      OptionError: an entity that no data set has.
    """
    infos = []
    for name, chosen in options.mixture.items():
        try:
            infos.append(read_annotation_info(options.data_dir, chosen.dataset or name, ENTITIES))
        except MissingDataError:
            continue  # whether it must have them is for the requirements to say
    known = {label_key(name): name for info in infos for name in info["labels"]}
    places = dict.fromkeys(place for info in infos for place in info["places"])
    for name in options.entities:
        if infos and label_key(name) not in known:
            raise OptionError(
                f"config.data.entities names {name!r}, which no data set of the mixture has; they "
                f"have: {', '.join(known.values())}"
            )
    return tuple(options.entities) or tuple(known.values()), tuple(places)


def read_entities(studies: Studies, entities: Sequence[str], places: Sequence[str]) -> EntityTable:
    """The table of a split, in the order of the mixture's lists.

    Args:
      studies: the split.
      entities: Q names; one that the data set lacks is outside its vocabulary.
      places: K names.
    """
    info, count = _info(studies), len(studies)
    codes = np.full((count, len(entities)), OUTSIDE, np.int8)
    if info is None or studies.split not in info["splits"]:
        nothing = np.zeros(0, np.int16)
        return EntityTable(
            tuple(entities), codes, np.zeros(count + 1, np.int64), nothing, nothing, len(places), ""
        )
    stored = {label_key(name): k for k, name in enumerate(info["labels"])}
    columns = np.array([stored.get(label_key(name), -1) for name in entities], np.int64)
    entity_of = np.full(len(info["labels"]), -1, np.int16)
    entity_of[columns[columns >= 0]] = np.flatnonzero(columns >= 0)
    number = {place: k for k, place in enumerate(places)}
    place_of = np.array([number[place] for place in info["places"]], np.int16)
    triples: dict[int, np.ndarray] = {}
    for record in _records(studies):
        parsed = Record(record, tuple(info["labels"]))
        row = parsed.integers("row")[0]
        codes_by_name = parsed.codes("codes")[0]
        codes[row] = np.where(columns < 0, np.int8(OUTSIDE), codes_by_name[columns])
        triples[row] = np.array(parsed.integers("places"), np.int32).reshape(-1, 3)
    every = [(row, *t) for row in sorted(triples) for t in triples[row].tolist()]
    table = np.array(every, np.int64).reshape(-1, 4)
    table = table[(table[:, 3] == POSITIVE) & (entity_of[table[:, 1]] >= 0)]
    entity, place = entity_of[table[:, 1]], place_of[table[:, 2]]
    order = np.lexsort([place, entity, table[:, 0]])
    first = np.searchsorted(table[order, 0], np.arange(count + 1))
    return EntityTable(
        tuple(entities),
        codes,
        first,
        entity[order],
        place[order],
        len(places),
        str(info["fingerprint"]),
    )


def _info(studies: Studies) -> Mapping[str, Any] | None:
    try:
        return read_annotation_info(studies.data_dir, studies.name, ENTITIES)
    except MissingDataError:
        return None


def _records(studies: Studies) -> list[bytes]:
    from array_record.python import array_record_module

    directory = annotation_dir(studies.data_dir, studies.name, ENTITIES)
    prefix = f"{studies.name}-{studies.split}.array_record-"
    (shard,) = (path for path in epath.Path(directory).iterdir() if path.name.startswith(prefix))
    reader = array_record_module.ArrayRecordReader(os.fspath(shard))
    try:
        records: list[bytes] = reader.read_all()
    finally:
        reader.close()
    return records
