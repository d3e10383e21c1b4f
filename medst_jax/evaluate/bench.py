# SPDX-License-Identifier: Apache-2.0
"""What a protocol works with: evaluation studies, their images and their embeddings, cached."""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from etils import epath

from medst_jax.data.studies import Studies, open_studies
from medst_jax.evaluate.embedder import Embeddings
from medst_jax.evaluate.images import frontal_images


class EmbedsImages(Protocol):
    """What a bench needs of an embedder; the pixel baselines have no more than this."""

    size: int
    labels: tuple[str, ...]
    has_text: bool

    def images(self, images: np.ndarray) -> Embeddings:
        """Embed uint8 [N, S, S, 1]."""

    def texts(self, texts: Sequence[str]) -> Embeddings:
        """Embed strings."""


class Library:
    """The evaluation data of one folder; opened once per data set and split.

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
        fit: str,
        *,
        keep_images: bool = False,
        progress: bool = True,
    ) -> None:
        self.data_dir, self.size = data_dir, size
        self.progress = progress
        self._fit = fit
        self._studies: dict[tuple[str, str], Studies] = {}
        self._kept: dict[tuple[str, str, int], np.ndarray] | None = {} if keep_images else None

    def studies(self, dataset: str, split: str) -> Studies:
        """The studies of a split, truth included; only evaluators may call this."""
        key = dataset, split
        if key not in self._studies:
            self._studies[key] = open_studies(self.data_dir, dataset, split, truth=True)
        return self._studies[key]

    def opened(self) -> dict[tuple[str, str], Studies]:
        """Every (data set, split) used so far."""
        return dict(self._studies)

    def images(self, dataset: str, split: str, rows: np.ndarray) -> np.ndarray:
        """Frontal images uint8 [N, S, S, 1] of the given rows."""
        kept = self._kept if self._kept is not None else {}
        missing = [r for r in dict.fromkeys(map(int, rows)) if (dataset, split, r) not in kept]
        blocks = frontal_images(
            self.studies(dataset, split),
            missing,
            size=self.size,
            fit=self._fit,
            progress=self.progress,
        )
        loaded = (image for block in blocks for image in block)
        kept.update(zip(((dataset, split, r) for r in missing), loaded, strict=True))
        if not len(rows):
            return np.zeros((0, self.size, self.size, 1), np.uint8)
        return np.stack([kept[dataset, split, int(r)] for r in rows])


@dataclasses.dataclass(frozen=True)
class Bench:
    """One system on one library; embeddings are computed once per image and run.

    Attributes:
      embedder: the system.
      library: the data.
      cache: (data set, split, row) to the embedding of that row's frontal image.
    """

    embedder: EmbedsImages
    library: Library
    cache: dict[tuple[str, str, int], Embeddings] = dataclasses.field(default_factory=dict)

    def embed(self, dataset: str, split: str, rows: np.ndarray) -> Embeddings:
        """Embeddings of the rows' frontal images, in the order of `rows`."""
        missing = [
            r for r in dict.fromkeys(map(int, rows)) if (dataset, split, r) not in self.cache
        ]
        for start in range(0, len(missing), 1024):  # bounds the memory that decoded images take
            block = np.asarray(missing[start : start + 1024])
            embedded = self.embedder.images(self.library.images(dataset, split, block))
            for k, row in enumerate(block):
                self.cache[dataset, split, int(row)] = embedded[np.asarray([k])]
        if not len(rows):
            return self.embedder.images(np.zeros((0, self.library.size, self.library.size, 1), np.uint8))
        parts = [self.cache[dataset, split, int(r)] for r in rows]
        has_logits = parts[0].logits is not None
        return Embeddings(
            np.concatenate([p.features for p in parts]),
            np.concatenate([p.global_ for p in parts]),
            np.concatenate([p.logits for p in parts if p.logits is not None]) if has_logits else None,
        )
