# SPDX-License-Identifier: Apache-2.0
"""Classification tasks: which images, which classes, which of them are positive."""

import dataclasses
import random
from typing import Literal

import numpy as np

from medst_jax.data.records import schema
from medst_jax.data.records.studies import Studies
from medst_jax.options import before

POSITIVE, NEGATIVE, UNKNOWN = 1, 0, -1
_MEANING = {"positive": POSITIVE, "negative": NEGATIVE, "unknown": UNKNOWN}


@dataclasses.dataclass(frozen=True)
class TaskOptions:
    """A classification task on the first frontal image of each study.

    Attributes:
      dataset, split: where the images come from.
      classes: target classes; empty: every label with a positive and a negative.
      kind: "single" keeps images with exactly one positive among the targets (DLILP's rule);
        "multi" keeps all and treats the classes one by one.
      labels: "labels" reads the stored label codes;
        "truth" reads the simulator's truth, which only evaluators may.
      limit: at most so many images, drawn by `random.Random(0)`; 0 keeps all.
      blank: what a finding that a report does not mention counts as: "negative" or "unknown".
      uncertain: what an uncertain label counts as: "unknown", "negative" or "positive".
      rest: name of a further class, first of all, of the images that have none of `classes`: a data
        set that labels one finding alone then has two classes. Empty for none.
    """

    dataset: str
    split: str = "test"
    classes: tuple[str, ...] = ()
    kind: Literal["single", "multi"] = "single"
    labels: Literal["labels", "truth"] = "labels"
    limit: int = 0
    blank: Literal["negative", "unknown"] = dataclasses.field(
        default="negative", metadata=before("negative")
    )
    uncertain: Literal["unknown", "negative", "positive"] = dataclasses.field(
        default="unknown", metadata=before("unknown")
    )
    rest: str = dataclasses.field(default="", metadata=before(""))


@dataclasses.dataclass(frozen=True)
class Task:
    """The selected images of a task.

    Attributes:
      rows: int [n], rows of the split, ascending.
      patients: int [n], patient ordinals.
      targets: "single": int [n] index of the class; "multi": int8 [n, C] 1, 0 or -1 unknown.
      classes: the C target classes.
    """

    options: TaskOptions
    rows: np.ndarray
    patients: np.ndarray
    targets: np.ndarray
    classes: tuple[str, ...]

    def subset(self, at: np.ndarray) -> "Task":
        """The images at positions `at`, int [k]."""
        return dataclasses.replace(
            self, rows=self.rows[at], patients=self.patients[at], targets=self.targets[at]
        )


def select(options: TaskOptions, studies: Studies, truth_names: tuple[str, ...] = ()) -> Task:
    """Select the images of a task.

    Args:
      options: of the task.
      studies: of its split.
      truth_names: names of the columns of `truth_findings`, where the data set has them.

    Raises:
      ValueError: an unknown class, or no image left.
    """
    names, codes = (
        _truth_codes(studies, truth_names)
        if options.labels == "truth"
        else _stored_codes(studies, options)
    )
    known = {name.lower(): k for k, name in enumerate(names)}
    missing = [name for name in options.classes if name.lower() not in known]
    if missing:
        raise ValueError(
            f"{studies.name}/{studies.split} has no class {', '.join(missing)}; "
            f"known: {', '.join(names)}"
        )
    frontal = np.asarray(studies.index.has_frontal, bool)
    if options.classes:
        columns = [known[name.lower()] for name in options.classes]
    else:
        seen = codes[frontal]
        columns = list(np.flatnonzero((seen == POSITIVE).any(0) & (seen == NEGATIVE).any(0)))
    codes, chosen = codes[:, columns], tuple(names[c] for c in columns)
    if options.rest:
        codes, chosen = _with_rest(codes, chosen, options.rest)
    keep = frontal & (codes != UNKNOWN).any(1)
    if options.kind == "single":
        keep &= (codes == POSITIVE).sum(1) == 1
    rows = _limited(np.flatnonzero(keep), options.limit)
    if not len(rows) or not columns:
        raise ValueError(
            f"no image of {studies.name}/{studies.split} serves the {options.kind} task over "
            f"{', '.join(options.classes) or 'all labels'}"
        )
    targets = codes[rows].astype(np.int8)
    if options.kind == "single":
        targets = np.argmax(targets == POSITIVE, axis=1)
    patients = np.asarray(studies.index.patient)[rows]
    return Task(options, rows, patients, targets, chosen)


def _with_rest(
    codes: np.ndarray, classes: tuple[str, ...], rest: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Codes [n, 1 + C] and classes with that of the images of none of the C classes before them."""
    if rest.lower() in (name.lower() for name in classes):
        raise ValueError(f"rest is {rest!r}, which is one of the classes")
    none = np.where((codes == POSITIVE).any(1), NEGATIVE, POSITIVE)
    unsure = (codes == UNKNOWN).any(1) & (none == POSITIVE)
    none[unsure] = UNKNOWN
    return np.concatenate([none[:, None].astype(codes.dtype), codes], axis=1), (rest, *classes)


def _stored_codes(studies: Studies, options: TaskOptions) -> tuple[tuple[str, ...], np.ndarray]:
    """Class names and int8 [n, C]: 1 positive, 0 negative, -1 unknown."""
    stored = np.asarray(studies.index.labels)
    codes = np.full(stored.shape, UNKNOWN, np.int8)
    codes[stored == schema.POSITIVE] = POSITIVE
    codes[stored == schema.NEGATIVE] = NEGATIVE
    codes[stored == schema.UNCERTAIN] = _MEANING[options.uncertain]
    codes[stored == schema.BLANK] = _MEANING[options.blank]
    return tuple(studies.labels), codes


def _truth_codes(studies: Studies, names: tuple[str, ...]) -> tuple[tuple[str, ...], np.ndarray]:
    if not names:
        raise ValueError(
            f"{studies.name}/{studies.split} holds no truth of findings; use labels='labels'"
        )
    rows = [np.asarray(studies[i].truth["truth_findings"]) for i in range(len(studies))]
    return names, np.stack(rows).astype(np.int8)


def _limited(rows: np.ndarray, limit: int) -> np.ndarray:
    if not limit or len(rows) <= limit:
        return rows
    return np.sort(np.asarray(random.Random(0).sample(list(rows), limit)))
