# SPDX-License-Identifier: Apache-2.0
"""Image banks: one unit of a source -> one ArrayRecord of finished study records.

A bank is four files under a common stem: `.array_record` (serialised records), `.npz` (what the
assembly needs to know about each), `.rejects.jsonl`, and `.json`, the marker. Each is written
under a temporary name and renamed, the marker last, so a bank either is complete or is built
again; a complete one whose input hash is unchanged is skipped.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from array_record.python import array_record_module
from etils import epath

from medst_jax.data.records import schema
from medst_jax.data.records.keys import PRIVATE, Secret, read_secret, write_private
from medst_jax.data_pipelines import record
from medst_jax.data_pipelines.encode import Encoding, encode_image
from medst_jax.data_pipelines.image_files import UnreadableImage
from medst_jax.data_pipelines.raw import RawStudy, Reject, Source
from medst_jax.files.reading import (
    DamagedDataError,
    Kind,
    read_arrays,
    read_json,
    read_json_lines,
    reading,
)
from medst_jax.files.writing import sync, write_atomic

# Part of every input hash: raise it when the same input gives other records.
FORMAT = 5
WRITER_OPTIONS = "group_size:1,uncompressed"
_READ_CHUNK = 256
_AGAIN = "prepare the data set again"
_MARKER: dict[str, Kind] = {"input_hash": str, "record_bytes": int, "counts": {int}}


@dataclass(frozen=True)
class Bank:
    """Where the bank of one unit lies and what its input hash must be.

    secret: file of the secret under which keys are made; a worker reads it there, so that no
    description of a job holds it. ids: file of the patients' ids, one a record, for the owner
    of the data alone.
    """

    stem: str
    unit: str
    input_hash: str
    secret: str = ""
    ids: str = ""

    @property
    def marker(self) -> epath.Path:
        return epath.Path(self.stem + ".json")

    def complete(self) -> bool:
        """Whether the files are there, whole, and of the same input."""
        try:
            marker = read_json(self.marker, _AGAIN, fields=_MARKER)
        except OSError:  # what cannot be read is not complete
            return False
        sizes = {".array_record": marker["record_bytes"], **marker.get("sizes", {})}
        files = [(epath.Path(self.stem + kind), size) for kind, size in sizes.items()]
        return (
            marker["input_hash"] == self.input_hash
            and all(path.exists() and path.stat().length == size for path, size in files)
            and (not self.ids or epath.Path(self.ids).exists())
        )

    def sound(self, *, records: bool = False) -> bool:
        """Whether the tables of a complete bank can be read, and, if asked, all its records."""
        try:
            self.patient_ids(), self.table(), self.rejects()
            count = self.counts()["studies"]
            return not records or sum(1 for _ in self.records()) == count
        except OSError:
            return False

    def discard(self) -> None:
        """Forget a bank that turned out to be damaged: it is built again."""
        self.marker.unlink(missing_ok=True)

    def patient_ids(self) -> list[str]:
        """The patient of each record, as in the source."""
        ids: list[str] = read_json(self.ids, _AGAIN, [str])
        if len(ids) != self.counts()["studies"]:
            raise DamagedDataError(f"{self.ids} has ids of {len(ids)} records: {_AGAIN}")
        return ids

    def counts(self) -> dict[str, int]:
        """studies, images and rejects of a complete bank; `inputs` and `rejected_inputs` of them.

        An input is an image, a study that has none, or a row that became neither. One that has
        two faults is rejected once, and so is one whose study stays for its text.
        """
        counts: dict[str, int] = read_json(self.marker, _AGAIN, fields=_MARKER)["counts"]
        return counts

    def table(self) -> dict[str, np.ndarray]:
        """One row per record, in order: see `_Table`."""
        table = read_arrays(self.stem + ".npz", _AGAIN, ("image_key",))
        rows = {name: len(values) for name, values in table.items() if name != "image_key"}
        if set(rows.values()) - {self.counts()["studies"]}:
            raise DamagedDataError(f"{self.stem}.npz has columns of {rows} rows: {_AGAIN}")
        return table

    def records(self) -> Iterator[bytes]:
        """The serialised records, in order."""
        path = self.stem + ".array_record"
        with reading(path, "records", _AGAIN):
            reader = array_record_module.ArrayRecordReader(path)
        try:
            for start in range(0, reader.num_records(), _READ_CHUNK):
                with reading(path, "records", _AGAIN):
                    records = reader.read(start, min(start + _READ_CHUNK, reader.num_records()))
                yield from records
        finally:
            reader.close()

    def rejects(self) -> list[dict[str, Any]]:
        """The rejects of this unit: row and reason."""
        return read_json_lines(self.stem + ".rejects.jsonl", _AGAIN)


def bank_of(
    source: Source, unit: str, data_dir: epath.PathLike, options: Encoding, secret: epath.PathLike
) -> Bank:
    """The bank of `unit`, whether or not it exists yet.

    Args:
      source: of the unit.
      unit: one of `source.units()`.
      data_dir: folder of prepared data, in which banks lie beside their data set.
      options: of stored images.
      secret: file of the secret for keys; banks of another secret are built again.
    """
    identity = [FORMAT, source.name, source.labels, source.unit_hash(unit), asdict(options)]
    truth = {k: [str(np.dtype(d)), s] for k, (d, s) in source.truth_features.items()}
    namespace = source.card.get("namespace", source.name)
    secret_id = read_secret(secret).id
    text = json.dumps([*identity, truth, namespace, secret_id], sort_keys=True)
    name = re.sub(r"[^A-Za-z0-9_]+", "-", unit)[:40]
    suffix = hashlib.sha256(unit.encode()).hexdigest()[:8]
    stem = f"{name}-{suffix}"
    return Bank(
        stem=os.fspath(epath.Path(data_dir) / source.name / "banks" / stem),
        unit=unit,
        input_hash=hashlib.sha256(text.encode()).hexdigest(),
        secret=os.fspath(secret),
        ids=os.fspath(epath.Path(data_dir) / PRIVATE / source.name / f"{stem}.json"),
    )


def write_bank(
    source: Source, bank: Bank, options: Encoding, progress: Callable[[], object] = int
) -> None:
    """Builds the bank of one unit, unless it is complete; `progress` is called after a study."""
    if bank.complete():
        return
    features = schema.study_features(source.labels, source.truth_features, patient=False)
    namespace = source.card.get("namespace", source.name)
    source_dir = getattr(source, "source_dir", "")
    table, rejects = _Table(namespace, read_secret(bank.secret)), []
    inputs = _Inputs()
    bank.marker.parent.mkdir(parents=True, exist_ok=True)
    # The process id keeps two attempts at one unit (a retry of a slow worker) apart.
    temporary = f"{bank.stem}.{os.getpid()}.tmp"
    writer = array_record_module.ArrayRecordWriter(temporary, WRITER_OPTIONS)
    try:
        for study in source.studies(bank.unit):
            if isinstance(study, Reject):
                rejects.append(study)
                inputs.add_reject(study)
                continue
            images = []
            unread = []
            for image in study.images:
                try:
                    images.append(encode_image(image, source_dir, options))
                except UnreadableImage as error:
                    unread.append(Reject(image.row or study.row, str(error)))
            rejects += unread
            inputs.add_study(study, unread)
            if not images and not study.sections:
                continue
            serialised = features.serialize_example(record.features(study, images, source.labels))
            writer.write(serialised)
            parsed = features.deserialize_example_np(serialised)
            table.add(study, images, parsed["labels"], len(serialised), record.digest(parsed))
            progress()
    finally:
        writer.close()
    bank.discard()  # of another input, or damaged: it no longer describes what is there
    written = os.path.getsize(temporary)
    sync(temporary)
    os.replace(temporary, bank.stem + ".array_record")
    lines = "".join(json.dumps(asdict(reject)) + "\n" for reject in rejects).encode()
    write_atomic(bank.stem + ".rejects.jsonl", lines)
    write_private(Path(bank.ids), json.dumps(table.patient_ids))
    buffer = io.BytesIO()
    np.savez(buffer, **table.arrays())  # type: ignore[arg-type]
    write_atomic(bank.stem + ".npz", buffer.getvalue())
    counts = {"studies": len(table.rows), "images": table.images, "rejects": len(rejects)}
    counts |= inputs.counts()
    marker = {
        "unit": bank.unit,
        "input_hash": bank.input_hash,
        "counts": counts,
        "record_bytes": written,
        "sizes": {".npz": len(buffer.getvalue()), ".rejects.jsonl": len(lines)},
        "secret_id": table.secret_id,
    }
    write_atomic(bank.marker, json.dumps(marker), durable=True)


class _Inputs:
    """Counts inputs and how many of them were rejected."""

    def __init__(self) -> None:
        self.inputs = self.rejected = 0
        # Of a report, for example, which comes before the study that its row is a part of.
        self._waiting: Counter[int] = Counter()

    def add_reject(self, reject: Reject) -> None:
        self._waiting[reject.row] += 1

    def add_study(self, study: RawStudy, unread: Sequence[Reject]) -> None:
        rows = {study.row, *(image.row for image in study.images)} - {0}
        own = {row for row in rows if self._waiting.pop(row, 0)}
        bad = own | {reject.row for reject in unread}
        inputs = max(1, len(study.images))
        self.inputs += inputs
        self.rejected += min(inputs, max(len(unread), len(bad)))

    def counts(self) -> dict[str, int]:
        """Rejects that no study took are inputs of their own."""
        alone = self._waiting.total()
        return {"inputs": self.inputs + alone, "rejected_inputs": self.rejected + alone}


class _Table:
    """Rows of the assembly's table, one per record, then as arrays."""

    def __init__(self, namespace: str, secret: Secret) -> None:
        self.rows: list[dict[str, Any]] = []
        self.image_keys: list[int] = []
        self.patient_ids: list[str] = []
        self.secret_id = secret.id
        self._key = functools.partial(secret.key_of, namespace)

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
            "patient_key": np.uint64(self._key(study.patient_id)),
            "study_key": np.uint64(self._key(study.patient_id, study.study_id)),
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
        self.patient_ids.append(study.patient_id)
        self.image_keys += [self._key(str(image["image_id"])) for image in images]

    def arrays(self) -> dict[str, np.ndarray]:
        names = self.rows[0] if self.rows else ()
        columns = {name: np.stack([np.asarray(row[name]) for row in self.rows]) for name in names}
        return {**columns, "image_key": np.array(self.image_keys, np.uint64)}
