# SPDX-License-Identifier: Apache-2.0
"""Which prepared data the tasks of a suite read, from their configuration alone."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

STUDIES = "studies"
# What a protocol reads beside the studies, or in their place.
_ANNOTATIONS = {
    "phrase_grounding": "phrases",
    "temporal_classification": "image_pairs",
    "sentence_similarity": "sentence_pairs",
    "sentence_inference": "sentence_pairs",
}
_WITHOUT_STUDIES = ("sentence_pairs",)


@dataclasses.dataclass(frozen=True)
class Need:
    """A split of a data set that a suite reads.

    Attributes:
      dataset, split: which.
      kind: "studies", or a config of annotations: "phrases", "image_pairs", "sentence_pairs".
      test: whether predictions are judged on it; else it trains or calibrates.
    """

    dataset: str
    split: str
    kind: str
    test: bool


def needs_of(tasks: Mapping[str, Any]) -> tuple[Need, ...]:
    """What the tasks read, each once, in the order of the suite.

    Args:
      tasks: name to {"protocol": ..., options}, as configured.
    """
    return tuple(dict.fromkeys(need for task in tasks.values() for need in needs_of_task(task)))


def needs_of_task(task: Mapping[str, Any]) -> Iterator[Need]:
    """What one task reads; a split that it does not name is `test`, that of training `train`."""
    kinds = list(_kinds(task))
    places = [(task, True), (task.get("task"), True)]
    places += [(task.get(name), False) for name in ("train", "validation")]
    for place, test in places:
        if place is not None and "dataset" in place:
            for kind in kinds:
                yield Need(place["dataset"], place.get("split", "test"), kind, test)
    if "train_dataset" in task:
        for kind in kinds:
            yield Need(task["train_dataset"], task.get("train_split", "train"), kind, False)


def _kinds(task: Mapping[str, Any]) -> Iterator[str]:
    annotations = _ANNOTATIONS.get(task.get("protocol", ""))
    if annotations == "image_pairs" and task.get("changes") == "labels":
        annotations = None
    if annotations not in _WITHOUT_STUDIES:
        yield STUDIES
    if annotations is not None:
        yield annotations
