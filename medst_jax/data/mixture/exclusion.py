# SPDX-License-Identifier: Apache-2.0
"""Which patients training must not see, because evaluation data sets contain them."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from etils import epath

from medst_jax.data.records import manifest, schema
from medst_jax.data.records.index import Index
from medst_jax.data.records.keys import SecretError
from medst_jax.data.records.studies import damaged_remedy, dataset_dir, read_info_file
from medst_jax.files.reading import DamagedDataError, Kind, parse_json, read_bytes, reading
from medst_jax.files.writing import interrupted

_FIELDS: dict[str, Kind] = {"patient_keys": [str], "fingerprint": str, "splits": [str]}


@dataclass(frozen=True)
class Exclusion:
    """Patients to leave out.

    Attributes:
      lists: data set to what identifies its list: fingerprint and splits, which are the same on
        every host (of data of before secrets, the SHA-256 of the file).
      patient_keys: uint64, sorted.
      secret_ids: data set to the secret of its keys.
    """

    lists: dict[str, str]
    patient_keys: np.ndarray
    secret_ids: dict[str, str] = field(default_factory=dict)

    def contains(self, index: Index, name: str) -> np.ndarray:
        """Bool [n]: which studies of an index are to be left out.

        Args:
          index: of a split.
          name: of its data set, for the message.

        Raises:
          SecretError: keys of another secret, which never match.
        """
        for listed, secret in self.secret_ids.items():
            if secret != index.secret_id:
                raise SecretError(
                    f"the exclusion list of data set {listed!r} and the index of {name!r} have "
                    "keys of different secrets and cannot be compared: prepare both again in one "
                    "folder, or with one --salt_file"
                )
        return np.isin(index.patient_key, self.patient_keys)


def read_exclusion(data_dir: epath.PathLike, exclude: Literal["all"] | Sequence[str]) -> Exclusion:
    """Read `exclude.json` of all prepared data sets or of the named ones.

    Raises:
      FileNotFoundError: a named data set has no such file, and needs none.
      DamagedDataError: the list of a data set that has evaluation splits is missing, or is not the
        one that was written: without it, training would see those patients.
    """
    files = _exclusion_files(epath.Path(data_dir), exclude)
    names = sorted(files) if exclude == "all" else list(exclude)
    lists: dict[str, str] = {}
    secrets: dict[str, str] = {}
    keys: set[int] = set()
    for name in names:
        if name not in files:
            there = sorted(_exclusion_files(epath.Path(data_dir), "all"))
            raise FileNotFoundError(
                f"config.data.exclude names {name!r}, which has no exclude.json in {data_dir}; "
                f"there are: {', '.join(there) or 'none'}"
            )
        path = files[name]
        remedy = damaged_remedy(path.parent, data_dir, name)
        content = read_bytes(path, remedy)
        values = parse_json(content, path, remedy, fields=_FIELDS)
        with reading(path, "keys of patients", remedy):
            keys.update(int(key, 16) for key in values["patient_keys"])
        secrets[name] = str(values.get("secret_id", ""))
        # Goes into the checkpoint's stamp, from which evaluation tells whether this list was used.
        lists[name] = _identity(values) if secrets[name] else hashlib.sha256(content).hexdigest()
    return Exclusion(lists, np.array(sorted(keys), np.uint64), secrets)


def require_manifests(
    data_dir: epath.PathLike, datasets: Iterable[str], exclude: Literal["all"] | Sequence[str]
) -> None:
    """Check that what a new training reads was finished: its data sets and exclusion lists.

    A run that resumes needs no manifests: it compares fingerprints and lists with its own. Nor does a
    list that was copied alone, as to a worker.

    Raises:
      DamagedDataError: one has no manifest; the message holds the line that writes it.
    """
    files = _exclusion_files(epath.Path(data_dir), exclude)
    for name in dict.fromkeys((*datasets, *files)):
        configs = sorted(epath.Path(data_dir, name).glob("*/*/dataset.json"))
        folders = [path.parent for path in configs if path.parent.name in schema.READABLE]
        for folder in folders:
            if not (folder / manifest.NAME).exists():
                raise DamagedDataError(
                    f"data set {name!r} has no {manifest.NAME} in {folder}: an earlier version wrote "
                    "it, or something was lost. Check it, and have that written, with\n  "
                    f"{manifest.verify_line(data_dir, name)}"
                )


def _identity(values: dict[str, Any]) -> str:
    return f"{values['fingerprint']} {','.join(values['splits'])}"


def _exclusion_files(
    data_dir: epath.Path, exclude: Literal["all"] | Sequence[str]
) -> dict[str, epath.Path]:
    """The lists there are; a list that should be there and is not is an error."""
    if exclude == "all":
        folders = sorted(data_dir.iterdir()) if data_dir.exists() else []
        exclude = [folder.name for folder in folders if folder.is_dir()]
    paths = {name: _exclusion_file(data_dir, name) for name in exclude}
    return {name: path for name, path in paths.items() if path is not None}


def _exclusion_file(data_dir: epath.Path, name: str) -> epath.Path | None:
    directory = dataset_dir(data_dir, name)
    remedy = damaged_remedy(directory, data_dir, name)
    path = directory / manifest.EXCLUDE
    if interrupted(directory, manifest.NAME):
        raise DamagedDataError(f"{directory} was being replaced when that ended: {remedy}")
    if not directory.exists():
        return None
    files = manifest.read_manifest(directory, remedy)
    if files is not None:
        # Of this file alone: a worker has the lists of data sets that it does not read.
        own = {file: entry for file, entry in files.items() if file == manifest.EXCLUDE}
        fault = manifest.first_fault(directory, own)
        if fault:
            raise DamagedDataError(f"{fault}; {remedy}")
        return path if own else None
    if path.exists():
        return path
    try:
        info = read_info_file(directory, remedy)
    except FileNotFoundError as error:
        raise DamagedDataError(f"{directory / manifest.DATASET} is missing: {remedy}") from error
    if manifest.evaluates({"splits": info.get("splits", {})}):
        raise DamagedDataError(
            f"{path} is missing, and the data set has splits {sorted(info['splits'])}: {remedy}"
        )
    return None
