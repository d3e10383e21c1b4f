# SPDX-License-Identifier: Apache-2.0
"""Second stage: banks -> a TFDS data set with timeline index, in patient and time order.

Records are copied as they are and get the number of their patient, so this stage is cheap and
repeatable. Shards break between patients, which keeps every image-report-study sequence inside
one file.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from array_record.python import array_record_module
from etils import epath

from medst_jax.data.records import schema
from medst_jax.data.records.index import Index
from medst_jax.data_pipelines.bank import WRITER_OPTIONS, Bank

SHARD_BYTES = 128 * 2**20


class PatientSplitError(ValueError):
    """A patient whose studies lie in two splits."""


def join_tables(banks: Sequence[Bank]) -> dict[str, np.ndarray]:
    """The banks' tables in unit order, with `patient`, the ordinal over the data set.

    Raises:
      PatientSplitError: a patient is in two splits, or in two separate runs of records.
    """
    tables = [table for bank in banks if "patient_key" in (table := bank.table())]
    if not tables:
        raise ValueError("no study was read: every row of the source was rejected")
    joined = {name: np.concatenate([t[name] for t in tables]) for name in tables[0]}
    keys = joined["patient_key"]
    starts = np.concatenate([[True], keys[1:] != keys[:-1]])
    joined["patient"] = (np.cumsum(starts) - 1).astype(np.int32)
    if len(np.unique(keys[starts])) != starts.sum():
        raise PatientSplitError("the studies of one patient are not next to each other")
    split_changes = (joined["split"][1:] != joined["split"][:-1]) & ~starts[1:]
    if split_changes.any():
        raise PatientSplitError(f"{int(split_changes.sum())} patient(s) lie in two splits")
    return joined


def make_index(
    table: Mapping[str, np.ndarray], labels: tuple[str, ...], secret_id: str = ""
) -> Index:
    """The timeline index of all records of the table; `secret_id` is that of its keys."""
    views = table["views"]
    frontal = [schema.VIEWS.index(view) for view in schema.FRONTAL_VIEWS]
    lateral = [schema.VIEWS.index(view) for view in schema.LATERAL_VIEWS]
    return Index(
        patient=table["patient"],
        study_index=table["study_index"],
        study_days=table["study_days"],
        has_frontal=views[:, frontal].sum(1) > 0,
        has_lateral=views[:, lateral].sum(1) > 0,
        sentence_count=table["sentence_count"],
        labels=table["labels"][:, : len(labels)],
        severity=table["severity"],
        patient_key=table["patient_key"],
        study_key=table["study_key"],
        secret_id=secret_id,
    )


def fingerprint(table: Mapping[str, np.ndarray], labels: tuple[str, ...]) -> str:
    """SHA-256 over the vocabulary and, split by split, patients' numbers and records' digests.

    Keys are left out: the same data under two secrets are the same data.
    """
    state = hashlib.sha256(repr(labels).encode())
    for split in np.unique(table["split"]):
        rows = table["split"] == split
        state.update(f"\n{split}\n".encode() + table["patient"][rows].tobytes())
        state.update(table["digest"][rows].tobytes())
    return state.hexdigest()


def write_shards(
    banks: Sequence[Bank], table: Mapping[str, np.ndarray], directory: epath.Path, name: str
) -> dict[str, list[int]]:
    """Copies the records into the shards of their splits; returns records per shard."""
    shard_of, lengths = _plan_shards(table)
    open_writers: dict[str, tuple[int, Any]] = {}
    splits = [str(split) for split in table["split"]]
    records = (data for bank in banks for data in bank.records())
    number = schema.patient_feature()
    rows = zip(records, splits, shard_of.tolist(), table["patient"], strict=True)
    try:
        for data, split, shard, patient in rows:
            current = open_writers.get(split)
            if current is None or current[0] != shard:
                if current is not None:
                    current[1].close()
                path = shard_path(directory, name, split, shard, len(lengths[split]))
                writer = array_record_module.ArrayRecordWriter(os.fspath(path), WRITER_OPTIONS)
                current = open_writers[split] = (shard, writer)
            current[1].write(data + number.serialize_example({"patient": patient}))
    finally:
        for _, writer in open_writers.values():
            writer.close()
    return lengths


def shard_path(directory: epath.Path, name: str, split: str, shard: int, shards: int) -> epath.Path:
    """The TFDS file name of a shard."""
    return directory / f"{name}-{split}.array_record-{shard:05d}-of-{shards:05d}"


def _plan_shards(table: Mapping[str, np.ndarray]) -> tuple[np.ndarray, dict[str, list[int]]]:
    shard_of = np.zeros(len(table["split"]), np.int64)
    lengths = {}
    for split in np.unique(table["split"]):
        rows = np.flatnonzero(table["split"] == split)
        patients, first = np.unique(table["patient"][rows], return_index=True)
        # A patient belongs to the shard in which the bytes before its first record fall.
        before = np.cumsum(table["size"][rows]) - table["size"][rows]
        raw = before[first] // SHARD_BYTES
        dense = np.unique(raw, return_inverse=True)[1]
        shard_of[rows] = dense[np.searchsorted(patients, table["patient"][rows])]
        lengths[str(split)] = np.bincount(shard_of[rows]).tolist()
    return shard_of, lengths


def write_tfds_metadata(
    directory: epath.Path,
    name: str,
    features: Any,
    lengths: Mapping[str, list[int]],
    description: str,
    licence: str,
    config: str = schema.CONFIG,
) -> None:
    """`dataset_info.json` and `features.json`, with which `tfds.builder_from_directory` reads."""
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core import dataset_info, naming

    identity = dataset_info.DatasetIdentity(
        name=name,
        version=tfds.core.Version(schema.VERSION),
        data_dir=os.fspath(directory),
        module_name="data_pipelines",
        config_name=config,
    )
    info = tfds.core.DatasetInfo(
        builder=identity,
        description=description,
        features=features,
        disable_shuffling=True,
        license=licence or None,
    )
    info.set_file_format(tfds.core.FileFormat.ARRAY_RECORD)
    splits = []
    for split, counts in lengths.items():
        template = naming.ShardedFileTemplate(
            data_dir=directory, dataset_name=name, split=split, filetype_suffix="array_record"
        )
        files = [shard_path(directory, name, split, i, len(counts)) for i in range(len(counts))]
        splits.append(
            tfds.core.SplitInfo(
                name=split,
                shard_lengths=list(counts),
                num_bytes=sum(file.stat().length for file in files),
                filename_template=template,
            )
        )
    info.set_splits(tfds.core.splits.SplitDict(splits))
    info.write_to_directory(directory)
