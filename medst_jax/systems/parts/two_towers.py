# SPDX-License-Identifier: Apache-2.0
"""What systems of an image and a text encoder begin with, and how they compare all pairs."""

from typing import Any

import jax
from flax import nnx

from medst_jax.systems.parts.options import ContrastiveOptions, ImageTextOptions
from medst_jax.systems.parts.pairs import contrast
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
    """Two towers under a loss over all pairs, in the form of the options."""

    def __init__(self, options: ContrastiveOptions, rngs: nnx.Rngs) -> None:
        super().__init__(options, rngs)
        self.loss_form, self.loss_chunk = options.loss_form, options.loss_chunk

    def contrast(
        self,
        name: str,
        image: jax.Array,
        text: jax.Array,
        *arguments: jax.Array | float,
        mask: jax.Array,
        batch: Batch,
    ) -> tuple[jax.Array, Metrics]:
        """The loss `name` over all pairs in the form of the options; see `pairs.contrast`."""
        form, chunk = self.loss_form, self.loss_chunk
        return contrast(name, form, chunk, image, text, *arguments, mask=mask, batch=batch)
