# SPDX-License-Identifier: Apache-2.0
"""What stands where an `Embedder` does but has image features and nothing else."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from medst_jax.evaluate.statistics.outcome import NotApplicable
from medst_jax.evaluate.subjects.embedder import Embeddings


class FeaturesOnly:
    """Features of images, one at a time, without texts, labels, priors or patches.

    Attributes:
      what: how messages call it.
      size: S, side of the images it takes.
      window: the rows and columns of them that it reads, all.
    """

    what = "a table of features"
    labels: tuple[str, ...] = ()
    has_image = True
    has_text = False
    has_maps = False
    has_text_scores = False
    has_similarities = False
    restores_reports = False
    reads_priors = False

    def __init__(self, size: int) -> None:
        self.size, self.window = size, (0, size)

    def images(self, images: np.ndarray) -> Embeddings:
        """Embed uint8 `images` [N, S, S, 1], where it can."""
        raise NotApplicable(f"{self.what} embeds no further images")

    def texts(self, texts: Sequence[str]) -> Embeddings:
        """There is no text encoder."""
        raise NotApplicable(f"{self.what} has no text encoder")

    def pairs(self, images: np.ndarray, priors: np.ndarray, has_prior: np.ndarray) -> Embeddings:
        """Images are read one at a time."""
        raise NotApplicable(f"{self.what} takes no prior image")

    def patches(self, images: np.ndarray) -> np.ndarray:
        """There is no space shared with texts."""
        raise NotApplicable(f"{self.what} has no patch embeddings")

    def maps(self, images: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """There is no space shared with texts."""
        raise NotApplicable(f"{self.what} relates no sentence to regions")

    def text_scores(self, image: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """There is no text encoder."""
        raise NotApplicable(f"{self.what} scores no texts of an image")

    def similarities(self, images: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """There is no text encoder."""
        raise NotApplicable(f"{self.what} compares no images with texts")

    def masked_report_errors(self, images: np.ndarray, reports: Sequence[str]) -> np.ndarray:
        """There is no text encoder."""
        raise NotApplicable(f"{self.what} restores no hidden words of reports")

    def tokens(self, texts: Sequence[str]) -> tuple[np.ndarray, ...]:
        """There is no text encoder."""
        raise NotApplicable(f"{self.what} has no text encoder")

    def prototypes(self) -> np.ndarray | None:
        """There are no labels."""
        return None

    def system(self) -> Any:
        """There are no parameters."""
        raise NotApplicable(f"{self.what} cannot be fine-tuned")

    def box(self, box: Any, height: int, width: int) -> np.ndarray:
        """Nothing here is compared with boxes."""
        raise NotApplicable(f"{self.what} has no patch embeddings")
