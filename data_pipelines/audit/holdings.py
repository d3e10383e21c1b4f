# SPDX-License-Identifier: Apache-2.0
"""What a prepared split holds, as keys that can be compared."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
from etils import epath

from medst_jax.data.mixture.exclusion import read_exclusion
from medst_jax.data.records.studies import dataset_dir, open_studies, read_info
from medst_jax.data_pipelines.audit import perceptual


@dataclass(frozen=True)
class Holdings:
    """One split of a data set.

    patients: uint64 [P], salted keys of its patients, each once. files: uint64 [N], a hash of the
    stored bytes of every image. hashes: uint16 [N, WORDS], perceptual. owners: uint64 [N], the
    patient of every image. excluded: uint64 [E], patients that `exclude.json` names. secret_id:
    names the secret of the patients' keys.
    """

    dataset: str
    split: str
    patients: np.ndarray
    files: np.ndarray
    hashes: np.ndarray
    owners: np.ndarray
    excluded: np.ndarray
    secret_id: str = ""

    @property
    def evaluates(self) -> bool:
        """Whether models are judged on it: every split but train."""
        return self.split != "train"


def read_holdings(data_dir: epath.PathLike, dataset: str) -> list[Holdings]:
    """All splits of a prepared data set; raises MissingDataError when it is not there."""
    excluded = _excluded(data_dir, dataset)
    holdings = []
    for split in sorted(read_info(data_dir, dataset)["splits"]):
        studies = open_studies(data_dir, dataset, split)
        files, hashes, owners = [], [], []
        for row in range(len(studies)):
            for image in studies[row].images:
                digest = hashlib.sha256(image.data).digest()
                files.append(int.from_bytes(digest[:8], "big"))
                grey = cv2.imdecode(
                    np.frombuffer(image.data, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_2
                )
                assert grey is not None, "a stored image decodes"
                hashes.append(perceptual.hash_image(grey))
                owners.append(studies.index.patient_key[row])
        holdings.append(
            Holdings(
                dataset=dataset,
                split=split,
                patients=np.unique(studies.index.patient_key),
                files=np.array(files, np.uint64),
                hashes=np.array(hashes, np.uint16).reshape(-1, perceptual.WORDS),
                owners=np.array(owners, np.uint64),
                excluded=excluded,
                secret_id=studies.index.secret_id,
            )
        )
    return holdings


def _excluded(data_dir: epath.PathLike, dataset: str) -> np.ndarray:
    with contextlib.suppress(FileNotFoundError):  # no split of it is for evaluation
        return read_exclusion(data_dir, (dataset,)).patient_keys
    return np.zeros(0, np.uint64)


def prepared(data_dir: epath.PathLike) -> list[str]:
    """Names of the data sets in a folder that have studies."""
    root = epath.Path(data_dir)
    if not root.is_dir():
        return []
    names = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
    return [name for name in names if (dataset_dir(data_dir, name) / "dataset.json").exists()]
