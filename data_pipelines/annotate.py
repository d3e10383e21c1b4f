# SPDX-License-Identifier: Apache-2.0
"""Writes a data set beside the studies: phrases, image pairs, sentence pairs or texts.

Like the assembly of studies it is cheap, repeatable, written under a temporary name and then
renamed, and skipped when its input is unchanged.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from array_record.python import array_record_module
from etils import epath

from medst_jax.data.records import manifest, schema
from medst_jax.data.records.annotations import (
    CONFIGS,
    ENTITIES,
    Annotation,
    annotation_features,
)
from medst_jax.data.records.studies import open_studies, written_dir
from medst_jax.data_pipelines import assemble, record
from medst_jax.data_pipelines.bank import WRITER_OPTIONS
from medst_jax.data_pipelines.cards import annotation_card
from medst_jax.data_pipelines.complete import complete_info
from medst_jax.data_pipelines.raw import AnnotatedSource
from medst_jax.files.reading import read_json
from medst_jax.files.writing import fresh_folder, replace_folder, settle_folder

FORMAT = 1  # raise it when the same input gives other records


@dataclass(frozen=True)
class AnnotationRequest:
    """One config of a data set.

    name: of the data set. config: one of `annotations.CONFIGS`. labels: the vocabulary of its
    progression codes, or the entities. places: of entities. input_digest: whatever the records depend on; unchanged means up to date.
    card: licence, redistributable, description and other facts. arguments: recorded as given.
    """

    name: str
    config: str
    labels: tuple[str, ...]
    input_digest: str
    card: Mapping[str, Any]
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    places: tuple[str, ...] = ()


def annotate(
    source: AnnotatedSource,
    data_dir: epath.PathLike,
    info: Mapping[str, Any],
    input_digest: str,
    arguments: Mapping[str, Any],
    *,
    verify: bool = False,
) -> dict[str, dict[str, Any]]:
    """Writes the configs that a source gives beside its studies; config -> `dataset.json`.

    Not its entities, which are mined from its reports as those of any data set (`entities`).

    Args:
      source: its studies, if it has any, are built.
      data_dir: of the build.
      info: `dataset.json` of the studies.
      input_digest: changes when the studies do.
      arguments: of the build, recorded as given.
      verify: see `complete_info`.
    """
    infos = {}
    for config in source.annotation_configs():
        if config == ENTITIES:
            continue
        request = AnnotationRequest(
            source.name, config, tuple(source.labels), input_digest, source.card, arguments
        )
        infos[config] = up_to_date(data_dir, request, verify=verify) or write_annotations(
            data_dir,
            request,
            source.annotations(
                config,
                tuple(info["splits"]),
                lambda split, truth=False: open_studies(data_dir, source.name, split, truth=truth),
            ),
        )
    return infos


def up_to_date(
    data_dir: epath.PathLike, request: AnnotationRequest, *, verify: bool = False
) -> dict[str, Any] | None:
    """`dataset.json` of a complete build from the same input, else None; see `complete_info`."""
    directory = written_dir(data_dir, request.name, request.config)
    settle_folder(directory, manifest.NAME)
    try:
        read_json(directory / "data_card.json", "")
        return complete_info(directory, _build_hash(request), verify=verify)
    except OSError:  # whatever cannot be read is not complete
        return None


def write_annotations(
    data_dir: epath.PathLike,
    request: AnnotationRequest,
    splits: Mapping[str, Iterable[Annotation]],
) -> dict[str, Any]:
    """Writes the records of all splits that have any; returns `dataset.json`.

    Raises:
      TypeError: a record of another config.
    """
    schema.check_name("data set", request.name)
    features = annotation_features(request.config, request.labels)
    directory = written_dir(data_dir, request.name, request.config)
    fresh = fresh_folder(directory)
    state = hashlib.sha256(repr(request.labels).encode())
    counts: dict[str, dict[str, Any]] = {}
    samples: list[Annotation] = []
    for split, records in sorted(splits.items()):
        schema.check_name("split", split)
        counted = _CountedRecords(records, CONFIGS[request.config])
        written = _write_split(fresh, request.name, split, features, counted, state)
        if written:
            counts[split] = {"records": written, **counted.counts()}
            samples += counted.samples
    lengths = {split: [count["records"]] for split, count in counts.items()}
    licence = str(request.card.get("licence", ""))
    description = str(request.card.get("description", ""))
    assemble.write_tfds_metadata(
        fresh, request.name, features, lengths, description, licence, request.config
    )
    info = {
        "name": request.name,
        "config": request.config,
        "labels": list(request.labels),
        **({"places": list(request.places)} if request.places else {}),
        "splits": counts,
        "fingerprint": state.hexdigest(),
        "licence": licence,
        "redistributable": bool(request.card.get("redistributable", False)),
        "shards": {
            shard.name: shard.stat().length for shard in sorted(fresh.glob("*.array_record-*"))
        },
        "build": {"hash": _build_hash(request), "arguments": dict(request.arguments)},
    }
    (fresh / manifest.DATASET).write_text(json.dumps(info, indent=1))
    annotation_card.write(fresh, info, request.card, samples)
    manifest.write_manifest(fresh, info)
    replace_folder(fresh, directory)
    return info


def _build_hash(request: AnnotationRequest) -> str:
    parts = [FORMAT, request.config, request.labels, request.input_digest, dict(request.card)]
    # Only where there are any: what was written before there were places is up to date.
    text = json.dumps([*parts, request.places] if request.places else parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _write_split(
    directory: epath.Path,
    name: str,
    split: str,
    features: Any,
    records: Iterable[Annotation],
    state: Any,
) -> int:
    """Writes one shard; an empty split leaves no file."""
    path = assemble.shard_path(directory, name, split, 0, 1)
    writer = array_record_module.ArrayRecordWriter(os.fspath(path), WRITER_OPTIONS)
    state.update(f"\n{split}\n".encode())
    count = 0
    try:
        for item in records:
            values = _plain(item)
            writer.write(features.serialize_example(values))
            state.update(record.digest(values))
            count += 1
    finally:
        writer.close()
    if not count:
        path.unlink()
    return count


def _plain(item: Annotation) -> dict[str, Any]:
    values = {f.name: getattr(item, f.name) for f in dataclasses.fields(item)}
    if "progression" in values and not len(values["progression"]):
        # An empty vocabulary is stored as one unused column.
        values["progression"] = np.full(1, schema.OUTSIDE, np.int8)
    return values


class _CountedRecords:
    """Passes records on, counting what the card tells about them."""

    def __init__(self, records: Iterable[Annotation], kind: type[Annotation]) -> None:
        self._records, self._kind = records, kind
        self._counters: dict[str, Counter[str]] = {}
        self.samples: list[Annotation] = []

    def __iter__(self) -> Iterator[Annotation]:
        counted: Sequence[str] = [
            name
            for name in ("finding", "quality", "relation", "subset", "language", "kind")
            if name in {field.name for field in dataclasses.fields(self._kind)}
        ]
        for item in self._records:
            if not isinstance(item, self._kind):
                raise TypeError(f"a {type(item).__name__} among {self._kind.__name__} records")
            for name in counted:
                self._counters.setdefault(name, Counter())[str(getattr(item, name))] += 1
            if len(self.samples) < annotation_card.SAMPLES:
                self.samples.append(item)
            yield item

    def counts(self) -> dict[str, dict[str, int]]:
        return {name: dict(counter.most_common()) for name, counter in self._counters.items()}
