# SPDX-License-Identifier: Apache-2.0
"""Whether a prepared folder is whole, and the check of all of them: `prepare --verify`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from etils import epath

from medst_jax.data.records import manifest, schema
from medst_jax.data.records.annotations import CONFIGS
from medst_jax.data.records.index import Index
from medst_jax.data.records.studies import (
    MissingDataError,
    damaged_remedy,
    dataset_dir,
    read_info_file,
)
from medst_jax.data_pipelines.dataset_locks import locked_datasets
from medst_jax.files.reading import DamagedDataError, Kind, read_json
from medst_jax.files.writing import settle_folder

_FIELDS: dict[str, Kind] = {"shards": {int}, "splits": {dict}, "build": dict, "name": str}


def complete_info(
    directory: epath.Path, build_hash: str | None = None, *, verify: bool = False
) -> dict[str, Any] | None:
    """`dataset.json` of a folder that is whole; of a whole folder without a manifest, writes it.

    Args:
      directory: of studies or of annotations.
      build_hash: of the input that it must be made of; None for any.
      verify: read every byte of the shards too.

    Returns:
      None for data of another input.

    Raises:
      DamagedDataError: a file is missing, cannot be read, or is not as it was written.
      FileNotFoundError: there is no such folder.
    """
    info: dict[str, Any] = read_info_file(directory, "")
    read_json(directory / manifest.DATASET, "", fields=_FIELDS)
    if build_hash is not None and info["build"].get("hash") != build_hash:
        return None
    files = manifest.read_manifest(directory, "")
    if files is None:
        for name in manifest.required_files(info):
            if name.startswith("index-"):
                Index.load(directory / name)
            elif name.endswith(".json"):
                read_json(directory / name, "")
        manifest.write_manifest(directory, info)
        return info
    if missing := set(manifest.required_files(info)) - files.keys():
        raise DamagedDataError(f"{directory / manifest.NAME} says nothing of {sorted(missing)}")
    small = [name for name in files if name not in info["shards"]]
    fault = manifest.first_fault(directory, files, digests=None if verify else small)
    if fault:
        raise DamagedDataError(fault)
    return info


@dataclass(frozen=True)
class Verified:
    """One folder that was checked: `adopted` when its manifest was written by that."""

    directory: epath.Path
    files: int
    adopted: bool


def verify(data_dir: epath.PathLike, datasets: Sequence[str] = ()) -> Iterator[Verified]:
    """Check every byte of the data sets named, or of all; write manifests that are missing.

    Raises:
      MissingDataError: a data set is not there, or there is none.
      DamagedDataError: after the others, names each damaged file and the line that writes it again.
    """
    root = epath.Path(data_dir)
    there = (
        sorted(entry.name for entry in root.iterdir() if entry.is_dir()) if root.exists() else []
    )
    faults = []
    any_set = False
    for name in datasets or there:
        parts = [root / name / config for config in (schema.CONFIG, *CONFIGS)]
        if name not in datasets and not any(part.exists() for part in parts):
            continue  # secrets, vocabularies
        folders = [dataset_dir(data_dir, name, config) for config in (schema.CONFIG, *CONFIGS)]
        with locked_datasets(data_dir, [name]):
            for folder in folders:
                settle_folder(folder, manifest.NAME)
        present = [folder for folder in folders if folder.exists()]
        if name in datasets and not present:
            raise MissingDataError(f"data set {name!r} is not in {data_dir}")
        for folder in present:
            any_set, adopted = True, not (folder / manifest.NAME).exists()
            try:
                with locked_datasets(data_dir, [name]):
                    info = complete_info(folder, verify=True)
            except OSError as error:
                faults.append(f"{error}: {damaged_remedy(folder, data_dir, name)}")
                continue
            assert info is not None, "any input will do"
            yield Verified(folder, len(manifest.required_files(info)), adopted)
    if faults:
        raise DamagedDataError("\n".join(faults))
    if not any_set:
        raise MissingDataError(f"{data_dir} holds no prepared data set to verify")
