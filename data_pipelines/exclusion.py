# SPDX-License-Identifier: Apache-2.0
"""`exclude.json`: which patients and images of a data set evaluation uses, as keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from etils import epath

TRAINING_SPLIT = "train"


def write(
    path: epath.Path, info: Mapping[str, Any], table: Mapping[str, np.ndarray], secret_id: str
) -> None:
    """Writes the keys of every split but `train`; nothing when there is no other.

    The file holds dataset, fingerprint, splits, secret_id, and patient_keys and image_keys as 16 hexadecimal
    digits; a patient's key equals `patient_key` of the index.
    """
    evaluated = table["split"] != TRAINING_SPLIT
    if not evaluated.any():
        return
    images = np.repeat(evaluated, table["views"].sum(1))
    content = {
        "dataset": info["name"],
        "fingerprint": info["fingerprint"],
        "secret_id": secret_id,
        "splits": sorted(set(info["splits"]) - {TRAINING_SPLIT}),
        "patient_keys": _hexadecimal(table["patient_key"][evaluated]),
        "image_keys": _hexadecimal(table["image_key"][images]),
    }
    path.write_text(json.dumps(content))


def _hexadecimal(keys: np.ndarray) -> list[str]:
    return [f"{int(key):016x}" for key in np.unique(keys)]
