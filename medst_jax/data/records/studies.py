# SPDX-License-Identifier: Apache-2.0
"""Random access to the studies of a prepared data set, without TensorFlow."""

from __future__ import annotations

import bisect
import itertools
import json
import os
import shlex
import threading
from collections.abc import Mapping
from typing import Any

from etils import epath

from medst_jax.command_line import user_command
from medst_jax.data.records import schema
from medst_jax.data.records.index import Index
from medst_jax.data.records.parse import Record
from medst_jax.data.records.patient_ids import read_patient_ids
from medst_jax.data.records.study import Study

# Reader threads make their first reads at once; opening imports and parses once, for all.
_OPEN_LOCK = threading.Lock()
_READER_OPTIONS = "readahead_buffer_size:0,max_parallelism:0"  # for reading in any order


class MissingDataError(FileNotFoundError):
    """A data set or split that has not been prepared; the message holds the command for it."""


class DamagedDataError(OSError):
    """A data file that is cut short or missing; the message names it and the remedy."""


def check_local(data_dir: epath.PathLike) -> None:
    """Raises ValueError for a remote folder: ArrayRecord reads and writes local files only."""
    if "://" in os.fspath(data_dir):
        raise ValueError(
            f"data_dir {os.fspath(data_dir)!r} is remote and ArrayRecord needs local files: mount "
            "the bucket (gcsfuse) or copy the data to a local disk"
        )


def dataset_dir(data_dir: epath.PathLike, name: str, config: str = schema.CONFIG) -> epath.Path:
    """`<data_dir>/<name>/<config>/<version>`: the newest version there is, else today's."""
    folder = epath.Path(data_dir) / name / config
    written = (folder / version for version in schema.READABLE)
    return next((path for path in written if path.exists()), folder / schema.VERSION)


def written_dir(data_dir: epath.PathLike, name: str, config: str = schema.CONFIG) -> epath.Path:
    """Where this version of the project writes a data set."""
    return epath.Path(data_dir) / name / config / schema.VERSION


def read_info(data_dir: epath.PathLike, name: str) -> dict[str, Any]:
    """`dataset.json` of a prepared data set.

    Raises:
      MissingDataError: with the `prepare.py` line that makes the data.
    """
    path = dataset_dir(data_dir, name) / "dataset.json"
    if not path.exists():
        raise MissingDataError(
            f"data set {name!r} is not in {data_dir}: make it with\n  {prepare_line(data_dir, name)}"
        )
    return json.loads(path.read_text())


def prepare_line(
    data_dir: epath.PathLike, name: str, arguments: Mapping[str, Any] | None = None
) -> str:
    """The command that makes a data set; `arguments` are those of an earlier build."""
    command = user_command("prepare")
    if arguments:
        flags = {"name": name, **arguments, "data_dir": data_dir}
        if flags.get("dataset") == "simulated_cxr":
            del flags["name"]
        given = (
            shlex.quote(f"--{flag}={value}") for flag, value in flags.items() if value is not None
        )
        return " ".join([command, *given])
    for made in ("simulated_cxr", "simulated_knowledge"):  # of no download
        if name.startswith(made):
            return f"{command} --dataset={made} --data_dir={data_dir}"
    # Here, for who trains or serves needs no table of downloads.
    from medst_jax.data.records.downloads import DOWNLOADS, download_flags

    if name in DOWNLOADS:
        return f"{command} {download_flags(name)} --data_dir={data_dir}"
    return (
        f"{command} --dataset=image_table --name={name} "
        f"--source_dir=FOLDER_WITH_METADATA_CSV --data_dir={data_dir}"
    )


def open_studies(
    data_dir: epath.PathLike, name: str, split: str, *, truth: bool = False
) -> Studies:
    """Opens one split of a prepared data set.

    Args:
      data_dir: the folder given to `prepare.py`; local, because ArrayRecord reads no gs://.
      name: the data set.
      split: one of its splits.
      truth: also parse the `truth_*` features. Only evaluators may.

    Raises:
      MissingDataError: no such data; the message holds the command that makes it.
      DamagedDataError: a file of the split is missing or has another size than was written.
    """
    check_local(data_dir)
    info = read_info(data_dir, name)
    if split not in info["splits"]:
        raise MissingDataError(
            f"data set {name!r} in {data_dir} has no split {split!r}; it has {sorted(info['splits'])}"
        )
    _check_shards(data_dir, info, split)
    return Studies(data_dir, info, split, truth)


def _check_shards(data_dir: epath.PathLike, info: dict[str, Any], split: str) -> None:
    directory = dataset_dir(data_dir, info["name"])
    for shard, size in info["shards"].items():
        if not shard.startswith(f"{info['name']}-{split}."):
            continue
        path = directory / shard
        actual = path.stat().length if path.exists() else 0
        if actual != size:
            raise DamagedDataError(
                f"{path} has {actual} bytes instead of {size}: it is damaged; write it again with\n"
                f"  {prepare_line(data_dir, info['name'], info['build']['arguments'])}"
            )


class Studies:
    """A split as a random-access sequence of `Study`.

    Files are opened at the first read of each process, so an object may be forked to or pickled
    for worker processes; it holds no open file when it is.
    """

    def __init__(
        self, data_dir: epath.PathLike, info: dict[str, Any], split: str, truth: bool
    ) -> None:
        self.name: str = info["name"]
        self.split = split
        self.labels: tuple[str, ...] = tuple(info["labels"])
        self.info = info
        self.fingerprint: str = info["fingerprint"]
        self.index = Index.load(dataset_dir(data_dir, self.name) / f"index-{split}.npz")
        self.data_dir, self._dir = data_dir, os.fspath(dataset_dir(data_dir, self.name))
        self._truth = truth
        self._ids: list[str] | None = None
        self._opened: tuple[int, _Records] | None = None

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, i: int) -> Study:
        records = self._records()
        record = Record(self.raw(self._row(i)), self.labels, records.truth)
        return Study(record, self._patient_ids)

    def _patient_ids(self) -> list[str]:
        if self._ids is None:
            self._ids = read_patient_ids(self.data_dir, self.name)
        return self._ids

    def raw(self, i: int) -> bytes:
        """The serialised record of study `i`, of [0, n).

        Raises:
          DamagedDataError: the file holds other bytes than were written.
        """
        records = self._records()
        try:
            return records.raw(i)
        except RuntimeError as error:  # of ArrayRecord, whose chunks carry checksums
            raise DamagedDataError(
                f"{records.path(i)} is damaged at record {i} of the split ({error}): write it again "
                f"with\n  {prepare_line(self.data_dir, self.name, self.info['build']['arguments'])}"
            ) from error

    def features(self, i: int) -> dict[str, Any]:
        """All features of record `i` as TFDS parses them, truth included."""
        records = self._records()
        return records.all.deserialize_example_np(self.raw(self._row(i)))

    def _row(self, i: int) -> int:
        if not -len(self) <= i < len(self):
            raise IndexError(f"study {i} of {len(self)} in {self.name}/{self.split}")
        return i % len(self)

    def _records(self) -> _Records:
        opened = self._opened
        if opened is None or opened[0] != os.getpid():
            with _OPEN_LOCK:
                opened = self._opened
                if opened is None or opened[0] != os.getpid():
                    opened = (os.getpid(), _Records(self._dir, self.split, self._truth))
                    self._opened = opened
        return opened[1]

    def __getstate__(self) -> dict[str, Any]:
        # Neither open files nor ids travel to another process.
        return {**self.__dict__, "_opened": None, "_ids": None}

    def __repr__(self) -> str:
        return f"Studies({self.name}/{self.split}, {len(self)} studies)"


class _Records:
    """Open files of one split. `truth`: the truth features to parse, None for none of them."""

    def __init__(self, directory: str, split: str, truth: bool) -> None:
        import tensorflow_datasets as tfds
        from array_record.python import array_record_module

        builder = tfds.builder_from_directory(directory)
        self.all = builder.info.features
        wanted = {name: self.all[name] for name in self.all if truth and name[:6] == "truth_"}
        self.truth = tfds.features.FeaturesDict(wanted) if wanted else None
        written = builder.info.splits[split]
        self._paths = [os.path.join(directory, name) for name in sorted(written.filenames)]
        self._ends = list(itertools.accumulate(written.shard_lengths))
        self._open = array_record_module.ArrayRecordReader
        self._readers: list[tuple[Any, threading.Lock] | None] = [None] * len(self._paths)

    def path(self, i: int) -> str:
        """The file of record `i`."""
        return self._paths[bisect.bisect_right(self._ends, i)]

    def raw(self, i: int) -> bytes:
        """The serialised record `i`."""
        shard = bisect.bisect_right(self._ends, i)
        opened = self._readers[shard]
        if opened is None:  # two threads may both open it: either will do
            reader = self._open(self._paths[shard], _READER_OPTIONS)
            opened = self._readers[shard] = reader, threading.Lock()
        reader, lock = opened
        # Two calls under a lock take three quarters of the time of its read of a list of one.
        with lock:
            reader.seek(i - self._ends[shard - 1] if shard else i)
            record: bytes = reader.read()
        return record
