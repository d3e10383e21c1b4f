# SPDX-License-Identifier: Apache-2.0
"""Per-image predictions of one task: what metrics, intervals and paired comparisons are made of.

Predictions are kept next to `metrics.json` (patient ordinals, targets and scores; no ids), so
that two runs can be compared on the same replicates of the patients long after they ended.
"""

import dataclasses
import io
from collections.abc import Mapping
from typing import Literal, Self

import numpy as np
from etils import epath

from medst_jax.files.reading import read_arrays, reading
from medst_jax.files.writing import write_atomic

Kind = Literal["single", "multi", "ranks", "values"]
_GROUP = "group "


@dataclasses.dataclass(frozen=True)
class Predictions:
    """Scores of n images, S repeats each (repeats: other training shots; else S = 1).

    Attributes:
      kind: "single": one class per image; "multi": independent classes; "ranks": retrieval;
        "values": numbers measured on each image, such as the overlap of a map and a box.
      patients: int [n], patient ordinals.
      targets: "single": int [n] class; "multi": int8 [n, C] 1 positive, 0 negative, -1 unknown;
        "ranks": int [n], all zero; "values": int [n], the group of each image: numbers are
        means over groups of means within each.
      scores: float32 [S, n, C]; "ranks": [S, n, 1] with the rank of the first hit, from 1;
        "values": the numbers, NaN where an image has none.
      classes: C names; "ranks": empty; "values": what is measured.
      groups: attribute, such as "view", to the group of each image, str [n].

    Raises:
      ValueError: shapes that do not fit, or a score of a class that is not a number.
    """

    kind: Kind
    patients: np.ndarray
    targets: np.ndarray
    scores: np.ndarray
    classes: tuple[str, ...]
    groups: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.patients)
        if self.scores.ndim != 3 or self.scores.shape[1] != count or len(self.targets) != count:
            raise ValueError(
                f"predictions of {count} images have scores {self.scores.shape} and targets "
                f"{self.targets.shape}; they must be [S, {count}, C] and [{count}, ...]"
            )
        if self.kind in ("single", "multi") and np.isnan(self.scores).any():
            wrong = int(np.isnan(self.scores).any((0, 2)).sum())
            raise ValueError(
                f"{wrong} of {count} images have a score that is NaN; look for NaN in the "
                "checkpoint's parameters or in the features"
            )
        for name, group in self.groups.items():
            if np.shape(group) != (count,):
                raise ValueError(
                    f"groups[{name!r}] has shape {np.shape(group)}; it must be [{count}]"
                )

    @classmethod
    def measured(
        cls,
        patients: np.ndarray,
        numbers: np.ndarray,
        names: tuple[str, ...],
        groups: np.ndarray | None = None,
    ) -> Self:
        """Numbers [n, C], or [S, n, C] of S repeats, measured on each image: kind "values".

        Args:
          patients: int [n].
          numbers: NaN where an image has none.
          names: the C things that were measured.
          groups: int [n], whose means are averaged; one group by default.
        """
        of_one = np.zeros(len(patients), np.int64)
        scores = np.asarray(numbers, np.float32)
        scores = scores if scores.ndim == 3 else scores[None]
        return cls("values", patients, of_one if groups is None else groups, scores, names)

    def only(self, chosen: np.ndarray) -> Self:
        """The predictions of the images where bool `chosen` [n] is true."""
        return dataclasses.replace(
            self,
            patients=self.patients[chosen],
            targets=self.targets[chosen],
            scores=self.scores[:, chosen],
            groups={name: group[chosen] for name, group in self.groups.items()},
        )

    def predicted(self, repeat: int = 0) -> np.ndarray:
        """Class of the highest score, int [n]."""
        return np.argmax(self.scores[repeat], axis=1)

    def positives(self) -> np.ndarray:
        """Positive images per class, int [C]."""
        if self.kind == "single":
            return np.bincount(self.targets, minlength=len(self.classes))
        return (self.targets == 1).sum(0)

    def negatives(self) -> np.ndarray:
        """Negative images per class, int [C]."""
        if self.kind == "single":
            return len(self.targets) - self.positives()
        return (self.targets == 0).sum(0)


def write_predictions(path: epath.PathLike, named: Mapping[str, Predictions]) -> None:
    """Write every task's predictions to one `.npz` (plain arrays, nothing pickled)."""
    arrays: dict[str, np.ndarray] = {}
    for name, predictions in named.items():
        for field in dataclasses.fields(Predictions):
            if field.name == "groups":
                continue
            value = np.asarray(getattr(predictions, field.name))
            # An empty tuple would otherwise become a float array.
            arrays[f"{name}|{field.name}"] = value.astype(str) if value.size == 0 else value
        for attribute, group in predictions.groups.items():
            arrays[f"{name}|{_GROUP}{attribute}"] = np.asarray(group, str)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    write_atomic(path, buffer.getvalue(), durable=True)


def read_predictions(path: epath.PathLike) -> dict[str, Predictions]:
    """The predictions written by `write_predictions`, by task name; a `DamagedDataError` for others."""
    remedy = "evaluate again"
    loaded = read_arrays(path, remedy)
    names = dict.fromkeys(key.rpartition("|")[0] for key in loaded)
    with reading(path, "predictions", remedy):
        return {name: _assemble(loaded, name) for name in names}


def _assemble(arrays: Mapping[str, np.ndarray], name: str) -> Predictions:
    prefix = f"{name}|{_GROUP}"
    return Predictions(
        kind=str(arrays[f"{name}|kind"]),  # type: ignore[arg-type]
        patients=arrays[f"{name}|patients"],
        targets=arrays[f"{name}|targets"],
        scores=arrays[f"{name}|scores"],
        classes=tuple(map(str, arrays[f"{name}|classes"])),
        groups={
            key.removeprefix(prefix): value
            for key, value in arrays.items()
            if key.startswith(prefix)
        },
    )
