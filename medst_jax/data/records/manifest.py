# SPDX-License-Identifier: Apache-2.0
"""`manifest.json`: size and SHA-256 of every file of a prepared data set that anything reads.

It is written last, into the folder that then takes its name as a whole, so a folder with a manifest
was finished. What it lists must be there: a lost exclusion list is damage, not an empty list. Sizes
are checked whenever a data set is opened, and the bytes of the small files that say what the others
are; the bytes of all files on `prepare --verify`, and when reading one failed. The pages are no part
of it. Data of before manifests get theirs from `prepare`.
"""

import hashlib
from collections.abc import Collection, Mapping
from typing import Any

from etils import epath

from medst_jax.command_line import user_command
from medst_jax.data.records import schema
from medst_jax.files.reading import DamagedDataError, Kind, read_json
from medst_jax.files.writing import sync, write_json

NAME = "manifest.json"
DATASET, EXCLUDE = "dataset.json", "exclude.json"
TRAINING_SPLIT = "train"
# Read at every start: few bytes, and what a changed one would do shows nowhere.
ALWAYS = (DATASET, EXCLUDE)
FORMAT = 1

_CHUNK = 2**22
_FIELDS: dict[str, Kind] = {"format": int, "files": {dict}}


def verify_line(data_dir: epath.PathLike, name: str) -> str:
    """The command that checks every byte of a data set and writes a manifest that is missing."""
    return f"{user_command('prepare')} --verify --datasets={name} --data_dir={data_dir}"


def required_files(info: Mapping[str, Any]) -> list[str]:
    """Names of the files that a data set with this `dataset.json` consists of."""
    names = [DATASET, "dataset_info.json", "features.json", *info["shards"]]
    if info.get("config", schema.CONFIG) == schema.CONFIG:
        names += [f"index-{split}.npz" for split in info["splits"]]
        names += [EXCLUDE] if evaluates(info) else []
    return names


def evaluates(info: Mapping[str, Any]) -> bool:
    """Whether a data set has splits that models are judged on, whose patients it lists."""
    return bool(set(info["splits"]) - {TRAINING_SPLIT})


def write_manifest(directory: epath.Path, info: Mapping[str, Any]) -> None:
    """Write the manifest of a folder whose other files are written.

    Raises:
      DamagedDataError: a file is missing, or a shard has another size than `info` says.
    """
    files = {}
    for name in required_files(info):
        path = directory / name
        if not path.exists():
            raise DamagedDataError(f"{path} is missing")
        wanted, size = info["shards"].get(name), path.stat().length
        if wanted not in (None, size):
            raise DamagedDataError(f"{path} has {size} bytes instead of {wanted}")
        sync(path)
        files[name] = {"size": size, "sha256": digest(path)}
    write_json(directory / NAME, {"format": FORMAT, "files": files}, durable=True)


def read_manifest(directory: epath.Path, remedy: str) -> dict[str, dict[str, Any]] | None:
    """Size and digest by file name; None where a folder has no manifest.

    Raises:
      DamagedDataError: it cannot be read.
    """
    path = directory / NAME
    try:
        values = read_json(path, remedy, fields=_FIELDS)
    except FileNotFoundError:
        return None
    files: dict[str, dict[str, Any]] = values["files"]
    for name, entry in files.items():
        sound = isinstance(entry.get("size"), int) and isinstance(entry.get("sha256"), str)
        if not sound or "/" in name:
            raise DamagedDataError(f"{path} says nothing of size and digest of {name!r}: {remedy}")
    return files


def first_fault(
    directory: epath.Path,
    files: Mapping[str, Mapping[str, Any]],
    *,
    digests: Collection[str] | None = ALWAYS,
) -> str | None:
    """What is wrong with a folder, as the beginning of a sentence; None where nothing is.

    Args:
      directory: the folder.
      files: of its manifest.
      digests: names of the files of which every byte is read, None for all.
    """
    for name, entry in files.items():
        path = directory / name
        if not path.exists():
            return f"{path} is missing"
        size = path.stat().length
        if size != entry["size"]:
            return f"{path} has {size} bytes instead of {entry['size']}: it is damaged"
    for name in files if digests is None else digests:
        if name in files and digest(directory / name) != files[name]["sha256"]:
            return f"{directory / name} has other bytes than were written: it is damaged"
    return None


def check_folder(directory: epath.Path, remedy: str) -> bool:
    """Check a folder against its manifest, if it has one; whether it has.

    Raises:
      DamagedDataError: names the first file that is not as it was written.
    """
    files = read_manifest(directory, remedy)
    if files is None:
        return False
    fault = first_fault(directory, files)
    if fault:
        raise DamagedDataError(f"{fault}; {remedy}")
    return True


def digest(path: epath.PathLike) -> str:
    """SHA-256 of the bytes of a file, hexadecimal."""
    state = hashlib.sha256()
    with epath.Path(path).open("rb") as file:
        while chunk := file.read(_CHUNK):
            state.update(chunk)
    return state.hexdigest()
