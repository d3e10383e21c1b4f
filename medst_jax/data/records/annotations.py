# SPDX-License-Identifier: Apache-2.0
"""Data sets beside the studies: phrases with boxes, image pairs, pairs of texts, corpora, entities.

They hold no image: a record names studies by their row in a split of the data set's `studies`,
so `open_studies(data_dir, name, split)[record.row]` is the study. Files are TFDS ArrayRecord
data sets in `<data_dir>/<name>/<config>/<version>/`.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from etils import epath

from medst_jax.data.records import schema
from medst_jax.data.records.studies import (
    DamagedDataError,
    MissingDataError,
    check_local,
    checked_info,
    dataset_dir,
    prepare_line,
)
from medst_jax.files.reading import reading

RELATIONS = ("entailment", "contradiction", "neutral", "similar", "different")
QUALITIES = ("consensus", "one_expert", "multiple_experts", "disagreement", "mined")


@dataclass(frozen=True)
class Phrase:
    """Words about one place in one image.

    row: of the study in its split. image: its number in the study. text: the words. finding: its
    name. boxes: float32 [K, 4], x0, y0, x1, y1 in stored pixels, ends exclusive. masks: int32
    [K], rows of the study's `truth_masks`; empty where there are none.
    """

    row: int
    image: int
    text: str
    finding: str
    boxes: np.ndarray
    masks: np.ndarray


@dataclass(frozen=True)
class ImagePair:
    """A current and an earlier image of one patient, and how findings changed between them.

    row, prior_row: of the two studies in their split. image, prior_image: numbers in them.
    progression: int8 [C] over the labels, 1 worse, 0 unchanged, -1 better, -2 not stated.
    quality: one of QUALITIES, who says so.
    """

    row: int
    prior_row: int
    image: int
    prior_image: int
    progression: np.ndarray
    quality: str


@dataclass(frozen=True)
class SentencePair:
    """Two sentences; relation is one of RELATIONS, of text_b to text_a; subset names the kind."""

    text_a: str
    text_b: str
    relation: str
    subset: str


@dataclass(frozen=True)
class Text:
    """One document of a corpus; language is an ISO 639-1 code."""

    text: str
    language: str


@dataclass(frozen=True)
class TextPair:
    """Two texts that say the same of one thing: its name and its definition, or a fact of it.

    concept: what they are about; pairs of equal concepts also fit one another, "" fits none other.
    kind: of the pair, such as definition, synonym or relation.
    """

    concept: str
    text_a: str
    text_b: str
    kind: str


@dataclass(frozen=True)
class StudyEntities:
    """What the report of a study says of a fixed list of entities, and where they are.

    row: of the study in its split. codes: int8 [E], 1 affirmed, 0 denied, -1 doubted, -2 not
    mentioned. places: int32 [N, 3] of entity, place and code: numbers in the lists `entities` and
    `places` of the config's `dataset.json`. A study without such a record has no report.
    """

    row: int
    codes: np.ndarray
    places: np.ndarray


Annotation = Phrase | ImagePair | SentencePair | Text | TextPair | StudyEntities
T = TypeVar("T", bound=Phrase | ImagePair | SentencePair | Text | TextPair | StudyEntities)

CONFIGS: dict[str, type[Annotation]] = {
    "phrases": Phrase,
    "image_pairs": ImagePair,
    "sentence_pairs": SentencePair,
    "texts": Text,
    "text_pairs": TextPair,
    "entities": StudyEntities,
}
# What any data set with studies of its own has; the other two are made of what it has, or beside it.
OF_STUDIES = ("phrases", "image_pairs", "sentence_pairs", "texts")
ENTITIES = "entities"


def annotation_features(config: str, labels: Sequence[str]) -> Any:
    """TFDS `FeaturesDict` of the records of a config.

    Args:
      config: one of CONFIGS.
      labels: the data set's vocabulary; of "entities", the entities.

    Raises:
      ValueError: unknown config.
    """
    import tensorflow_datasets as tfds

    if config not in CONFIGS:
        raise ValueError(f"config {config!r}: choose from {', '.join(CONFIGS)}")
    special = {
        "boxes": tfds.features.Tensor(shape=(None, 4), dtype=np.float32),
        "masks": tfds.features.Tensor(shape=(None,), dtype=np.int32),
        "progression": tfds.features.Tensor(
            shape=(schema.label_width(tuple(labels)),), dtype=np.int8
        ),
        "codes": tfds.features.Tensor(shape=(len(labels),), dtype=np.int8),
        "places": tfds.features.Tensor(shape=(None, 3), dtype=np.int32),
    }
    text = tfds.features.Tensor(shape=(), dtype=np.object_)
    number = tfds.features.Scalar(np.int32)
    return tfds.features.FeaturesDict(
        {
            field.name: special.get(field.name, number if field.type == "int" else text)
            for field in dataclasses.fields(CONFIGS[config])
        }
    )


def annotation_dir(data_dir: epath.PathLike, name: str, config: str) -> epath.Path:
    """`<data_dir>/<name>/<config>/<version>`."""
    return dataset_dir(data_dir, name, config)


def read_annotation_info(data_dir: epath.PathLike, name: str, config: str) -> dict[str, Any]:
    """`dataset.json` of a config.

    Raises:
      ValueError: unknown config.
      MissingDataError: with the `prepare.py` line that makes the data.
      DamagedDataError: a file of the config is not as it was written, or missing.
    """
    if config not in CONFIGS:
        raise ValueError(f"config {config!r}: choose from {', '.join(CONFIGS)}")
    info = checked_info(annotation_dir(data_dir, name, config), data_dir, name)
    if info is None:
        raise MissingDataError(
            f"data set {name!r} in {data_dir} has no {config}; a data set that offers them is made "
            f"with\n  {prepare_line(data_dir, name)}"
        )
    return info


def open_annotations(
    data_dir: epath.PathLike, name: str, kind: type[T], split: str
) -> Annotations[T]:
    """Opens one split of the records of a kind, for example `Phrase`.

    Raises:
      MissingDataError: no such data or split.
      DamagedDataError: the file of the split has another size than was written.
    """
    check_local(data_dir)
    config = next(config for config, record_type in CONFIGS.items() if record_type is kind)
    info = read_annotation_info(data_dir, name, config)
    if split not in info["splits"]:
        raise MissingDataError(
            f"{config} of {name!r} in {data_dir} have no split {split!r}; "
            f"they have {sorted(info['splits'])}"
        )
    directory = annotation_dir(data_dir, name, config)
    # A copy that was cut short, or a full disk, shows in the size before any record is read.
    for shard, size in info["shards"].items():
        actual = (directory / shard).stat().length if (directory / shard).exists() else 0
        if actual != size:
            raise DamagedDataError(
                f"{directory / shard} has {actual} bytes instead of {size}: it is damaged; delete "
                f"{directory} and write it again with\n  {prepare_line(data_dir, name)}"
            )
    return Annotations(os.fspath(directory), kind, split, info, prepare_line(data_dir, name))


class Annotations(Sequence[T], Generic[T]):
    """A split as a random-access sequence of records; `labels` is the vocabulary, C names."""

    def __init__(
        self, directory: str, kind: type[T], split: str, info: dict[str, Any], line: str
    ) -> None:
        """`line`: the command that writes the files again."""
        import tensorflow_datasets as tfds

        self.split = split
        self.info = info
        self.labels: tuple[str, ...] = tuple(info["labels"])
        self.fingerprint: str = info["fingerprint"]
        self._kind: type[T] = kind
        self._directory = directory
        self._remedy = f"delete {directory} and write it again with\n  {line}"
        with reading(directory, "the description of a data set", self._remedy):
            self._source = tfds.builder_from_directory(directory).as_data_source(split=split)

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        if not -len(self) <= i < len(self):
            raise IndexError(f"record {i} of {len(self)}")
        with reading(self._directory, "the record", self._remedy):
            return self._record(self._source[i % len(self)])

    def __iter__(self) -> Iterator[T]:
        return (self[i] for i in range(len(self)))

    def _record(self, values: dict[str, Any]) -> T:
        # TFDS gives bytes for text and NumPy scalars for numbers.
        plain: dict[str, Any] = {}
        for name, value in values.items():
            if isinstance(value, bytes):
                plain[name] = value.decode()
            elif np.ndim(value) == 0:
                plain[name] = int(value)
            else:
                plain[name] = np.asarray(value)
        # An empty vocabulary is stored as one column.
        if "progression" in plain:
            plain["progression"] = plain["progression"][: len(self.labels)]
        return self._kind(**plain)
