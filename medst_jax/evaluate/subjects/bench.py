# SPDX-License-Identifier: Apache-2.0
"""What a protocol works with: evaluation studies, their images and their embeddings, cached."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from etils import epath

from medst_jax.data.images.pixels import Fit
from medst_jax.data.mixture.exclusion import read_exclusion
from medst_jax.data.records.annotations import (
    CONFIGS,
    Annotations,
    ImagePair,
    Phrase,
    SentencePair,
    Text,
    annotation_dir,
    open_annotations,
    read_annotation_info,
)
from medst_jax.data.records.studies import Studies, dataset_dir, open_studies
from medst_jax.evaluate.statistics.outcome import NotApplicable
from medst_jax.evaluate.subjects.embedder import Embeddings
from medst_jax.evaluate.subjects.groups import image_groups
from medst_jax.evaluate.subjects.images import frontal_images
from medst_jax.evaluate.subjects.tasks import Task, TaskOptions, select

T = TypeVar("T", bound=Phrase | ImagePair | SentencePair | Text)

_BLOCK = 1024  # images decoded at once; bounds memory


class EmbedsImages(Protocol):
    """What a bench needs of an embedder; the pixel baselines have no more than this."""

    size: int
    labels: tuple[str, ...]
    has_image: bool
    has_text: bool
    has_maps: bool
    has_text_scores: bool
    reads_priors: bool

    def images(self, images: np.ndarray) -> Embeddings:
        """Embed uint8 [N, S, S, 1]."""

    def texts(self, texts: Sequence[str]) -> Embeddings:
        """Embed strings."""

    def pairs(self, images: np.ndarray, priors: np.ndarray, has_prior: np.ndarray) -> Embeddings:
        """Embed images with their priors; only where `reads_priors`."""

    def patches(self, images: np.ndarray) -> np.ndarray:
        """Patch embeddings [N, P, E]; only where `has_text`."""

    def maps(self, images: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """Scores [N, P] of regions with a sentence per image; only where `has_maps`."""

    def text_scores(self, image: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """Scores [N] of texts with one image; only where `has_text_scores`."""

    def tokens(self, texts: Sequence[str]) -> tuple[np.ndarray, ...]:
        """What the text encoder takes; only where it has one."""

    def system(self) -> Any:
        """The system itself, for fine-tuning."""

    def box(self, box: Any, height: int, width: int) -> np.ndarray:
        """Boxes of a stored image in the encoder's square."""


class Library:
    """The evaluation data of one folder; opened, selected and (if kept) decoded once.

    Args:
      data_dir: folder that `prepare.py` wrote.
      size: S, side of the images.
      fit: "pad" or "crop", as in training.
      keep_images: hold decoded images in memory; for evaluators that run again and again.
      progress: show progress bars.
    """

    def __init__(
        self,
        data_dir: epath.PathLike,
        size: int,
        fit: Fit,
        *,
        keep_images: bool = False,
        progress: bool = True,
    ) -> None:
        self.size, self.progress = size, progress
        self.fit: Fit = fit
        self._data_dir, self._keep_images = data_dir, keep_images
        self._studies: dict[tuple[str, str], Studies] = {}
        self._tasks: dict[TaskOptions, Task] = {}
        self._groups: dict[tuple[str, str], dict[int, dict[str, str]]] = {}
        self._images: dict[tuple[str, str, int], np.ndarray] = {}

    def studies(self, dataset: str, split: str) -> Studies:
        """The studies of a split, truth included; only evaluators may call this."""
        key = dataset, split
        if key not in self._studies:
            self._studies[key] = open_studies(self._data_dir, dataset, split, truth=True)
        return self._studies[key]

    def image_studies(self, dataset: str, split: str) -> Studies | None:
        """The studies of a split; None of a data set of texts alone, which has none."""
        texts = any(annotation_dir(self._data_dir, dataset, kind).exists() for kind in CONFIGS)
        if texts and not dataset_dir(self._data_dir, dataset).exists():
            return None
        return self.studies(dataset, split)

    def licence(self, dataset: str, split: str) -> str:
        """What the data set's source says; empty when it says nothing."""
        studies = self.image_studies(dataset, split)
        if studies is not None:
            return studies.info.get("licence") or ""
        kind = next(k for k in CONFIGS if annotation_dir(self._data_dir, dataset, k).exists())
        return read_annotation_info(self._data_dir, dataset, kind).get("licence") or ""

    def exclusion(self, dataset: str) -> str:
        """Digest of the data set's exclusion list, empty when it has none."""
        try:
            return read_exclusion(self._data_dir, (dataset,)).lists[dataset]
        except FileNotFoundError:
            return ""

    def task(self, options: TaskOptions) -> Task:
        """The selected images of a task."""
        if options not in self._tasks:
            studies = self.studies(options.dataset, options.split)
            self._tasks[options] = select(options, studies, self.truth_names(options.dataset))
        return self._tasks[options]

    def truth_names(self, dataset: str) -> tuple[str, ...]:
        """Names of the columns of `truth_findings`, from the data card; empty without truth."""
        card = dataset_dir(self._data_dir, dataset) / "data_card.json"
        return tuple(json.loads(card.read_text()).get("truth_finding_names", ()))

    def groups(self, dataset: str, split: str, rows: np.ndarray) -> dict[str, np.ndarray]:
        """View, sex and age band of each row, see `image_groups`; a row is read once."""
        known = self._groups.setdefault((dataset, split), {})
        missing = [row for row in _distinct(rows) if row not in known]
        found = image_groups(self.studies(dataset, split), np.asarray(missing, np.int64))
        for k, row in enumerate(missing):
            known[row] = {name: str(column[k]) for name, column in found.items()}
        return {
            name: np.array([known[int(row)][name] for row in rows], dtype=str) for name in found
        }

    def annotations(self, dataset: str, kind: type[T], split: str) -> Annotations[T]:
        """The records of a kind beside the studies: phrases, image or sentence pairs."""
        return open_annotations(self._data_dir, dataset, kind, split)

    def images(self, dataset: str, split: str, rows: np.ndarray) -> np.ndarray:
        """Frontal images uint8 [N, S, S, 1] of the given rows."""
        loaded = self._images if self._keep_images else {}
        missing = [r for r in _distinct(rows) if (dataset, split, r) not in loaded]
        decoded = frontal_images(
            self.studies(dataset, split),
            missing,
            size=self.size,
            fit=self.fit,
            progress=self.progress,
        )
        loaded.update(zip(((dataset, split, r) for r in missing), decoded, strict=True))
        images = np.zeros((len(rows), self.size, self.size, 1), np.uint8)
        for k, row in enumerate(rows):
            images[k] = loaded[dataset, split, int(row)]
        return images


@dataclasses.dataclass(frozen=True)
class Bench:
    """One system on one library; every image is embedded once.

    Attributes:
      embedder: the system.
      library: the data.
      cache: (data set, split) to the place of each embedded row, and the embeddings.
    """

    embedder: EmbedsImages
    library: Library
    cache: dict[tuple[str, str], tuple[dict[int, int], Embeddings]] = dataclasses.field(
        default_factory=dict
    )

    def embed(self, dataset: str, split: str, rows: np.ndarray) -> Embeddings:
        """Embeddings of the rows' frontal images, in the order of `rows`.

        Raises:
          NotApplicable: the system has no image encoder.
        """
        if not self.embedder.has_image:
            raise NotApplicable("this system has no image encoder; only texts can be embedded")
        place, stored = self.cache.get((dataset, split), ({}, None))
        missing = [r for r in _distinct(rows) if r not in place]
        if missing or stored is None:
            blocks = [] if stored is None else [stored]
            for start in range(0, max(len(missing), 1), _BLOCK):
                block = np.asarray(missing[start : start + _BLOCK], np.int64)
                blocks.append(self.embedder.images(self.library.images(dataset, split, block)))
            stored = Embeddings.concatenate(blocks)
            place = place | {row: len(place) + k for k, row in enumerate(missing)}
            self.cache[dataset, split] = place, stored
        return stored[np.asarray([place[int(r)] for r in rows], np.int64)]


def _distinct(rows: np.ndarray) -> list[int]:
    return list(dict.fromkeys(map(int, rows)))
