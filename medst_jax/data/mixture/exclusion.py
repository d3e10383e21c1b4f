# SPDX-License-Identifier: Apache-2.0
"""Which patients training must not see, because evaluation data sets contain them."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from etils import epath

from medst_jax.data.records.schema import CONFIG


@dataclass(frozen=True)
class Exclusion:
    """lists: SHA-256 of each data set's `exclude.json`, by name; patient_keys: uint64, sorted."""

    lists: dict[str, str]
    patient_keys: np.ndarray

    def contains(self, patient_keys: np.ndarray) -> np.ndarray:
        """Bool [n]: which of the salted keys uint64 [n] are to be left out."""
        return np.isin(patient_keys, self.patient_keys)


def read_exclusion(data_dir: epath.PathLike, exclude: Literal["all"] | Sequence[str]) -> Exclusion:
    """Read `<data_dir>/<name>/studies/<version>/exclude.json` of all or of the named data sets.

    Raises:
      FileNotFoundError: a named data set has no such file.
    """
    files = _exclusion_files(epath.Path(data_dir))
    names = sorted(files) if exclude == "all" else list(exclude)
    lists: dict[str, str] = {}
    keys: set[int] = set()
    for name in names:
        if name not in files:
            raise FileNotFoundError(
                f"config.data.exclude names {name!r}, which has no exclude.json in {data_dir}; "
                f"there are: {', '.join(sorted(files)) or 'none'}"
            )
        digest = hashlib.sha256()
        for path in files[name]:
            content = path.read_bytes()
            digest.update(content)
            keys.update(int(key, 16) for key in json.loads(content)["patient_keys"])
        lists[name] = digest.hexdigest()
    return Exclusion(lists, np.array(sorted(keys), np.uint64))


def _exclusion_files(data_dir: epath.Path) -> dict[str, list[epath.Path]]:
    files: dict[str, list[epath.Path]] = {}
    if not data_dir.exists():
        return files
    for folder in sorted(data_dir.iterdir()):
        versions = folder / CONFIG
        if not versions.is_dir():
            continue
        # A build in progress, or one replaced, sits beside the version it belongs to.
        paths = [
            version / "exclude.json"
            for version in sorted(versions.iterdir())
            if version.suffix not in (".incomplete", ".old")
        ]
        if present := [path for path in paths if path.exists()]:
            files[folder.name] = present
    return files
