# SPDX-License-Identifier: Apache-2.0
"""Random access to the studies of a prepared data set, without TensorFlow."""

from __future__ import annotations

import bisect
import itertools
import os
import shlex
import threading
from collections.abc import Mapping
from typing import Any

from etils import epath

from medst_jax.command_line import user_command
from medst_jax.data.records import manifest, schema
from medst_jax.data.records.index import Index
from medst_jax.data.records.parse import Record
from medst_jax.data.records.patient_ids import read_patient_ids
from medst_jax.data.records.study import Study
from medst_jax.files.reading import DamagedDataError, check_kind, read_json, reading
from medst_jax.files.writing import interrupted
from medst_jax.options import OptionError

# Reader threads make their first reads at once; opening imports and parses once, for all.
_OPEN_LOCK = threading.Lock()
_READER_OPTIONS = "readahead_buffer_size:0,max_parallelism:0"  # for reading in any order
_KINDS: dict[str, Any] = {
    "name": str,
    "config": str,
    "labels": [str],
    "places": [str],
    "splits": {dict},
    "shards": {int},
    "fingerprint": str,
    "build": dict,
    "truth_features": [str],
}


class MissingDataError(FileNotFoundError):
    """A data set or split that has not been prepared; the message holds the command for it."""


def check_local(data_dir: epath.PathLike) -> None:
    """Raises OptionError for a remote folder: ArrayRecord reads and writes local files only."""
    if "://" in os.fspath(data_dir):
        raise OptionError(
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
    """`dataset.json` of a prepared data set, whose files are checked against its manifest.

    Raises:
      MissingDataError: with the `prepare.py` line that makes the data.
      DamagedDataError: a file of the data set is not as it was written, or missing.
    """
    directory = dataset_dir(data_dir, name)
    info = checked_info(directory, data_dir, name)
    if info is None:
        raise MissingDataError(
            f"data set {name!r} is not in {data_dir}: make it with\n  {prepare_line(data_dir, name)}"
        )
    return info


def checked_info(
    directory: epath.Path, data_dir: epath.PathLike, name: str
) -> dict[str, Any] | None:
    """`dataset.json` of one folder of a data set, None where there is no such folder.

    Raises:
      DamagedDataError: it cannot be read, or a file is not as the manifest says.
    """
    remedy = damaged_remedy(directory, data_dir, name)
    if not directory.exists():
        if interrupted(directory, manifest.NAME):
            raise DamagedDataError(f"{directory} was being replaced when that ended: {remedy}")
        return None
    has_manifest = manifest.check_folder(directory, remedy)
    try:
        info = read_info_file(directory, remedy)
    except FileNotFoundError as error:
        # A folder of an exclusion list alone, as on a worker, is no damaged data set.
        left = [entry.name for entry in directory.iterdir()]
        if has_manifest or any(".array_record" in entry for entry in left):
            raise DamagedDataError(
                f"{directory / manifest.DATASET} is missing: {remedy}"
            ) from error
        return None
    return info


def read_info_file(directory: epath.Path, remedy: str) -> dict[str, Any]:
    """`dataset.json` in a folder, its fields of the right kinds where it has them."""
    path = directory / manifest.DATASET
    info: dict[str, Any] = read_json(path, remedy)
    for key in _KINDS.keys() & info.keys():
        check_kind(info[key], _KINDS[key], f"{path}, {key!r}", remedy)
    return info


def damaged_remedy(directory: epath.Path, data_dir: epath.PathLike, name: str) -> str:
    """What to do about a damaged folder: the line that makes it again, as far as its records say."""
    line = prepare_line(data_dir, name)
    for file in (manifest.DATASET, "data_card.json"):
        try:
            build = read_json(directory / file, "", fields={"build": dict})["build"]
        except OSError:
            continue
        if isinstance(build.get("arguments"), dict) and build["arguments"]:
            line = prepare_line(data_dir, name, build["arguments"])
            break
    return f"write it again with\n  {line}"


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
    directory = dataset_dir(data_dir, name)
    remedy = damaged_remedy(directory, data_dir, name)
    for key in ("name", "labels", "splits", "shards", "fingerprint", "build"):
        if key not in info:
            raise DamagedDataError(f"{directory / manifest.DATASET} has no {key!r}: {remedy}")
    if split not in info["splits"]:
        raise MissingDataError(
            f"data set {name!r} in {data_dir} has no split {split!r}; it has {sorted(info['splits'])}"
        )
    _check_files(directory, info, split, remedy)
    return Studies(data_dir, info, split, truth)


def _check_files(directory: epath.Path, info: dict[str, Any], split: str, remedy: str) -> None:
    """What a manifest would say, of data that may have none: files that are there, sizes."""
    others = {f"index-{other}.npz" for other in info["splits"] if other != split}
    for file in manifest.required_files(info):
        shard = file in info["shards"]
        if file in others or (shard and not file.startswith(f"{info['name']}-{split}.")):
            continue
        path = directory / file
        if not path.exists():
            raise DamagedDataError(f"{path} is missing: {remedy}")
        if shard and path.stat().length != info["shards"][file]:
            raise DamagedDataError(
                f"{path} has {path.stat().length} bytes instead of {info['shards'][file]}: it is "
                f"damaged; {remedy}"
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
        directory = dataset_dir(data_dir, self.name)
        again = damaged_remedy(directory, data_dir, self.name)
        self.index = Index.load(directory / f"index-{split}.npz", again)
        self.data_dir, self._dir = data_dir, os.fspath(directory)
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
                f"{records.path(i)} is damaged at record {i} of the split ({error}): "
                f"{self._remedy()}"
            ) from error

    def _remedy(self) -> str:
        """Of a file that has the right size and other bytes: they are all compared."""
        return f"{damaged_remedy(epath.Path(self._dir), self.data_dir, self.name)} --verify"

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
                    with reading(self._dir, "the description of a data set", self._remedy()):
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
