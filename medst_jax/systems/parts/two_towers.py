# SPDX-License-Identifier: Apache-2.0
"""What systems of an image and a text encoder begin with."""

from collections.abc import Callable
from typing import Any

import jax
from flax import nnx

from medst_jax.losses.pairwise import Pairwise
from medst_jax.systems.parts.options import ContrastiveOptions, ImageTextOptions
from medst_jax.systems.parts.pairs import negative_pairs, pair_metrics
from medst_jax.systems.parts.towers import image_encoder, text_encoder
from medst_jax.systems.system import Batch, Metrics, System


class TwoTowers(System):
    """Preprocessing and both encoders; heads and losses are those of the subclass."""

    def __init__(self, options: ImageTextOptions, rngs: nnx.Rngs) -> None:
        """`rngs` draws the encoders first, and then what the subclass adds."""
        self.preprocess, self.augment = options.preprocess, options.augment
        self.labels = options.labels
        self.image_encoder = self.make_image_encoder(options, rngs)
        self.text_encoder = text_encoder(options, rngs=rngs)

    def make_image_encoder(self, options: Any, rngs: nnx.Rngs) -> Any:
        """The encoder of images."""
        return image_encoder(options, rngs=rngs)


class ContrastiveTowers(TwoTowers):
    """Two towers under a loss over all pairs of the batch.

    Attributes:
      pair_loss: that loss, which the subclass sets, in the form that the options ask for.
    """

    pair_loss: Callable[..., jax.Array]

    def __init__(self, options: ContrastiveOptions, rngs: nnx.Rngs) -> None:
        super().__init__(options, rngs)
        self.loss_form, self.negatives = options.loss_form, options.negatives

    def negative_pairs(self, batch: Batch) -> Pairwise | None:
        """Which pairs may be negatives; None for all, if the options say so."""
        return None if self.negatives == "all" else negative_pairs(batch)

    def pair_metrics(self, image: jax.Array, text: jax.Array, mask: jax.Array) -> Metrics:
        """How often an image finds its text; nothing where no device has the whole matrix."""
        return pair_metrics(image, text, mask) if self.loss_form == "dense" else {}
