# SPDX-License-Identifier: Apache-2.0
"""The timeline index of a split: everything sampling needs to know without opening a record."""

from __future__ import annotations

import dataclasses
import io
from dataclasses import dataclass

import numpy as np
from etils import epath

from medst_jax.files.reading import DamagedDataError, read_arrays

_SECRET = "secret_id"


@dataclass(frozen=True)
class Index:
    """Arrays over the n studies of a split, in patient and time order.

    patient: int32 [n], ordinal over the data set, the same across its splits.
    study_index: int32 [n], place in the patient's sequence.
    study_days: float32 [n], days since the patient's first study, NaN unknown.
    has_frontal, has_lateral: bool [n].
    sentence_count: int32 [n].
    labels: int8 [n, C], label codes.
    severity: int8 [n], edema severity 0 to 3, -1 unknown.
    patient_key, study_key: uint64 [n], for exclusion across data sets; see `keys`.
    secret_id: names the secret of the keys; "" in data of before secrets.
    """

    patient: np.ndarray
    study_index: np.ndarray
    study_days: np.ndarray
    has_frontal: np.ndarray
    has_lateral: np.ndarray
    sentence_count: np.ndarray
    labels: np.ndarray
    severity: np.ndarray
    patient_key: np.ndarray
    study_key: np.ndarray
    secret_id: str = ""

    def __len__(self) -> int:
        return len(self.patient)

    def take(self, rows: np.ndarray) -> Index:
        """The index of the given rows, in their order."""
        taken = {name: value[rows] for name, value in _arrays(self).items()}
        return Index(**taken, secret_id=self.secret_id)

    def save(self, path: epath.PathLike) -> None:
        """Writes an `.npz` without pickled objects."""
        buffer = io.BytesIO()
        secret = {_SECRET: np.array(self.secret_id)}
        np.savez_compressed(buffer, **_arrays(self), **secret)  # type: ignore[arg-type]
        epath.Path(path).write_bytes(buffer.getvalue())

    @classmethod
    def load(cls, path: epath.PathLike, remedy: str = "prepare the data set again") -> Index:
        """Reads what `save` wrote.

        Raises:
          FileNotFoundError: there is no such file.
          DamagedDataError: it cannot be read; ends with the `remedy`.
          ValueError: an array is missing: an earlier version of this project wrote the file.
        """
        names = [f.name for f in dataclasses.fields(cls) if f.name != _SECRET]
        arrays = read_arrays(path, remedy)
        if missing := [name for name in names if name not in arrays]:
            raise ValueError(
                f"{path} has no {', '.join(missing)}: it was written by an earlier version; "
                "prepare the data set again"
            )
        lengths = {len(arrays[name]) if arrays[name].ndim else -1 for name in names}
        if len(lengths) > 1 or -1 in lengths:
            raise DamagedDataError(f"{path} has columns of different lengths: {remedy}")
        secret = str(arrays[_SECRET]) if _SECRET in arrays else ""
        return cls(**{name: arrays[name] for name in names}, secret_id=secret)


def _arrays(index: Index) -> dict[str, np.ndarray]:
    names = (f.name for f in dataclasses.fields(index))
    return {name: getattr(index, name) for name in names if name != _SECRET}
