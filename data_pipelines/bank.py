# SPDX-License-Identifier: Apache-2.0
"""Image banks: one unit of a source -> one ArrayRecord of finished study records.

A bank is four files under a common stem: `.array_record` (serialised records), `.npz` (what the
assembly needs to know about each), `.rejects.jsonl`, and `.json`, the marker. Each is written
under a temporary name and renamed, the marker last, so a bank either is complete or is built
again; a complete one whose input hash is unchanged is skipped.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from array_record.python import array_record_module
from etils import epath

from medst_jax.data.records import schema
from medst_jax.data.records.index import salted_key
from medst_jax.data_pipelines import record
from medst_jax.data_pipelines.encode import Encoding, encode_image
from medst_jax.data_pipelines.image_files import UnreadableImage
from medst_jax.data_pipelines.raw import RawStudy, Reject, Source

# Part of every input hash: raise it when the same input gives other records.
FORMAT = 3
WRITER_OPTIONS = "group_size:1,uncompressed"
_READ_CHUNK = 256


@dataclass(frozen=True)
class Bank:
    """Where the bank of one unit lies and what its input hash must be."""

    stem: str
    unit: str
    input_hash: str

    @property
    def marker(self) -> epath.Path:
        return epath.Path(self.stem + ".json")

    def complete(self) -> bool:
        """Whether the files are there, whole, and of the same input."""
        if not self.marker.exists():
            return False
        marker = json.loads(self.marker.read_text())
        records = epath.Path(self.stem + ".array_record")
        return (
            marker["input_hash"] == self.input_hash
            and records.exists()
            and records.stat().length == marker["record_bytes"]
        )

    def counts(self) -> dict[str, int]:
        """studies, images and rejects of a complete bank."""
        return json.loads(self.marker.read_text())["counts"]

    def table(self) -> dict[str, np.ndarray]:
        """One row per record, in order: see `_Table`."""
        data = epath.Path(self.stem + ".npz").read_bytes()
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return dict(arrays)

    def records(self) -> Iterator[bytes]:
        """The serialised records, in order."""
        reader = array_record_module.ArrayRecordReader(self.stem + ".array_record")
        try:
            for start in range(0, reader.num_records(), _READ_CHUNK):
                yield from reader.read(start, min(start + _READ_CHUNK, reader.num_records()))
        finally:
            reader.close()

    def rejects(self) -> list[dict[str, Any]]:
        """The rejects of this unit: row and reason."""
        lines = epath.Path(self.stem + ".rejects.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]


def bank_of(source: Source, unit: str, directory: epath.PathLike, options: Encoding) -> Bank:
    """The bank of `unit` in `directory`, whether or not it exists yet."""
    identity = [FORMAT, source.name, source.labels, source.unit_hash(unit), asdict(options)]
    truth = {k: [str(np.dtype(d)), s] for k, (d, s) in source.truth_features.items()}
    namespace = source.card.get("namespace", source.name)
    text = json.dumps([*identity, truth, namespace], sort_keys=True)
    name = re.sub(r"[^A-Za-z0-9_]+", "-", unit)[:40]
    suffix = hashlib.sha256(unit.encode()).hexdigest()[:8]
    return Bank(
        stem=os.fspath(epath.Path(directory) / f"{name}-{suffix}"),
        unit=unit,
        input_hash=hashlib.sha256(text.encode()).hexdigest(),
    )


def write_bank(
    source: Source, bank: Bank, options: Encoding, progress: Callable[[], object] = int
) -> None:
    """Builds the bank of one unit, unless it is complete; `progress` is called after a study."""
    if bank.complete():
        return
    features = schema.study_features(source.labels, source.truth_features)
    namespace = source.card.get("namespace", source.name)
    source_dir = getattr(source, "source_dir", "")
    table, rejects = _Table(namespace), []
    bank.marker.parent.mkdir(parents=True, exist_ok=True)
    # The process id keeps two attempts at one unit (a retry of a slow worker) apart.
    temporary = f"{bank.stem}.{os.getpid()}.tmp"
    writer = array_record_module.ArrayRecordWriter(temporary, WRITER_OPTIONS)
    try:
        for study in source.studies(bank.unit):
            if isinstance(study, Reject):
                rejects.append(study)
                continue
            images = []
            for image in study.images:
                try:
                    images.append(encode_image(image, source_dir, options))
                except UnreadableImage as error:
                    rejects.append(Reject(image.row or study.row, str(error)))
            if not images and not study.sections:
                continue
            serialised = features.serialize_example(record.features(study, images, source.labels))
            writer.write(serialised)
            parsed = features.deserialize_example_np(serialised)
            table.add(study, images, parsed["labels"], len(serialised), record.digest(parsed))
            progress()
    finally:
        writer.close()
    written = os.path.getsize(temporary)
    os.replace(temporary, bank.stem + ".array_record")
    lines = [json.dumps(asdict(reject)) + "\n" for reject in rejects]
    _replace(bank.stem + ".rejects.jsonl", "".join(lines).encode())
    buffer = io.BytesIO()
    np.savez(buffer, **table.arrays())  # type: ignore[arg-type]
    _replace(bank.stem + ".npz", buffer.getvalue())
    counts = {"studies": len(table.rows), "images": table.images, "rejects": len(rejects)}
    marker = {
        "unit": bank.unit,
        "input_hash": bank.input_hash,
        "counts": counts,
        "record_bytes": written,
    }
    _replace(os.fspath(bank.marker), json.dumps(marker).encode())


def _replace(path: str, data: bytes) -> None:
    temporary = f"{path}.{os.getpid()}.tmp"
    epath.Path(temporary).write_bytes(data)
    os.replace(temporary, path)


class _Table:
    """Rows of the assembly's table, one per record, then as arrays."""

    def __init__(self, namespace: str) -> None:
        self.rows: list[dict[str, Any]] = []
        self.image_keys: list[int] = []
        self._namespace = namespace

    @property
    def images(self) -> int:
        return len(self.image_keys)

    def add(
        self,
        study: RawStudy,
        images: list[dict[str, Any]],
        labels: np.ndarray,
        size: int,
        digest: bytes,
    ) -> None:
        views = [image["view"] for image in images]
        row = {
            "split": study.split,
            "patient_key": np.uint64(salted_key(self._namespace, study.patient_id)),
            "study_key": np.uint64(salted_key(self._namespace, study.patient_id, study.study_id)),
            "study_index": np.int32(study.study_index),
            "study_days": np.float32(study.study_days),
            "sentence_count": np.int32(len(study.sentences)),
            "section_count": np.int32(len(study.sections)),
            "labels": np.asarray(labels, np.int8),
            "severity": np.int8(study.severity),
            "views": np.array([views.count(view) for view in schema.VIEWS], np.int32),
            "size": np.int64(size),
            "digest": np.frombuffer(digest, np.uint8),
        }
        self.rows.append(row)
        self.image_keys += [salted_key(self._namespace, str(i["image_id"])) for i in images]

    def arrays(self) -> dict[str, np.ndarray]:
        names = self.rows[0] if self.rows else ()
        columns = {name: np.stack([np.asarray(row[name]) for row in self.rows]) for name in names}
        return {**columns, "image_key": np.array(self.image_keys, np.uint64)}
