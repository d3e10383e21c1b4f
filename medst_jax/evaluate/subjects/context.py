# SPDX-License-Identifier: Apache-2.0
"""What a protocol works with: one system behind an embedder, and the data it is judged on."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from medst_jax.evaluate.statistics.outcome import NotApplicable
from medst_jax.evaluate.subjects.embedder import Embeddings
from medst_jax.evaluate.subjects.evaluation_data import EvaluationData, distinct_rows

_BLOCK = 1024  # images decoded at once; bounds memory


class ImageEmbedder(Protocol):
    """What an evaluation needs of an embedder; the pixel baselines have no more than this."""

    size: int
    labels: tuple[str, ...]
    has_image: bool
    has_text: bool
    has_maps: bool
    has_text_scores: bool
    has_similarities: bool
    restores_reports: bool
    reads_priors: bool
    window: tuple[int, int]

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

    def similarities(self, images: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """Scores [N, K] of images with texts by the system's measure; only where `has_similarities`."""

    def masked_report_errors(self, images: np.ndarray, reports: Sequence[str]) -> np.ndarray:
        """Errors [N] of hidden words of a report per image; only where `restores_reports`."""

    def tokens(self, texts: Sequence[str]) -> tuple[np.ndarray, ...]:
        """What the text encoder takes; only where it has one."""

    def system(self) -> Any:
        """The system itself, for fine-tuning."""

    def prototypes(self) -> np.ndarray | None:
        """Directions of the labels [C, E], where logits are cosines with them times a scale."""

    def box(self, box: Any, height: int, width: int) -> np.ndarray:
        """Boxes of a stored image in the encoder's square."""


@dataclasses.dataclass(frozen=True)
class EvaluationContext:
    """One system and the data it is judged on; every image is embedded once.

    Attributes:
      embedder: the system.
      data: the evaluation data.
      cache: (data set, split) to the place of each embedded row, and the embeddings.
      further: other checkpoints of the same run, which protocols average that can.
    """

    embedder: ImageEmbedder
    data: EvaluationData
    cache: dict[tuple[str, str], tuple[dict[int, int], Embeddings]] = dataclasses.field(
        default_factory=dict
    )
    further: tuple["EvaluationContext", ...] = ()

    def embed(self, dataset: str, split: str, rows: np.ndarray) -> Embeddings:
        """Embeddings of the rows' frontal images, in the order of `rows`.

        Raises:
          NotApplicable: the system has no image encoder.
        """
        if not self.embedder.has_image:
            raise NotApplicable("this system has no image encoder; only texts can be embedded")
        place, stored = self.cache.get((dataset, split), ({}, None))
        missing = [r for r in distinct_rows(rows) if r not in place]
        if missing or stored is None:
            blocks = [] if stored is None else [stored]
            for start in range(0, max(len(missing), 1), _BLOCK):
                block = np.asarray(missing[start : start + _BLOCK], np.int64)
                blocks.append(self.embedder.images(self.data.images(dataset, split, block)))
            stored = Embeddings.concatenate(blocks)
            place = place | {row: len(place) + k for k, row in enumerate(missing)}
            self.cache[dataset, split] = place, stored
        return stored[np.asarray([place[int(r)] for r in rows], np.int64)]

    def similarities(
        self, dataset: str, split: str, rows: np.ndarray, texts: Sequence[str]
    ) -> np.ndarray:
        """Scores float32 [N, K] of the rows' frontal images with texts, by the system's own measure."""
        blocks = [
            self.embedder.similarities(
                self.data.images(dataset, split, rows[start : start + _BLOCK]), texts
            )
            for start in range(0, len(rows), _BLOCK)
        ]
        return np.concatenate(blocks)
