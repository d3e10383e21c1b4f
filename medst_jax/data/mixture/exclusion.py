# SPDX-License-Identifier: Apache-2.0
"""Which patients training must not see, because evaluation data sets contain them."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from etils import epath

from medst_jax.data.records.index import Index
from medst_jax.data.records.keys import SecretError
from medst_jax.data.records.studies import dataset_dir


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
      FileNotFoundError: a named data set has no such file.
    """
    files = _exclusion_files(epath.Path(data_dir))
    names = sorted(files) if exclude == "all" else list(exclude)
    lists: dict[str, str] = {}
    secrets: dict[str, str] = {}
    keys: set[int] = set()
    for name in names:
        if name not in files:
            raise FileNotFoundError(
                f"config.data.exclude names {name!r}, which has no exclude.json in {data_dir}; "
                f"there are: {', '.join(sorted(files)) or 'none'}"
            )
        content = files[name].read_bytes()
        values = json.loads(content)
        keys.update(int(key, 16) for key in values["patient_keys"])
        secrets[name] = values.get("secret_id", "")
        # Goes into the checkpoint's stamp, from which evaluation tells whether this list was used.
        lists[name] = _identity(values) if secrets[name] else hashlib.sha256(content).hexdigest()
    return Exclusion(lists, np.array(sorted(keys), np.uint64), secrets)


def _identity(values: dict[str, Any]) -> str:
    return f"{values['fingerprint']} {','.join(values['splits'])}"


def _exclusion_files(data_dir: epath.Path) -> dict[str, epath.Path]:
    if not data_dir.exists():
        return {}
    paths = {
        folder.name: dataset_dir(data_dir, folder.name) / "exclude.json"
        for folder in sorted(data_dir.iterdir())
    }
    return {name: path for name, path in paths.items() if path.exists()}
