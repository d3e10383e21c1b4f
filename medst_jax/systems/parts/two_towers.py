# SPDX-License-Identifier: Apache-2.0
"""What systems of an image and a text encoder begin with."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.losses.pairwise import Pairwise
from medst_jax.models.heads.contrastive import unit_norm
from medst_jax.systems.parts.options import ContrastiveOptions, ImageTextOptions
from medst_jax.systems.parts.pairs import negative_pairs, pair_metrics
from medst_jax.systems.parts.towers import image_encoder, image_features, text_encoder
from medst_jax.systems.system import Batch, Embedding, Metrics, System, UnsupportedError


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


class HeadedTowers(TwoTowers):
    """Two towers with a head each; a text is pooled from the last layer of a BERT.

    Attributes:
      image_head, text_head: from features to the joint space, which the subclass sets.
    """

    image_head: Callable[..., jax.Array]
    text_head: Callable[..., jax.Array]

    def text_states(
        self, tokens: jax.Array, token_mask: jax.Array, keys: jax.Array | None = None
    ) -> jax.Array:
        """The last layer, float32 [B, L, D]; with `keys` as in training."""
        states = self.text_encoder(tokens, token_mask, keys=keys).hidden_states[-1]
        return states.astype(jnp.float32)

    def pooled_text(self, states: jax.Array, token_mask: jax.Array) -> jax.Array:
        """Features [B, D] of texts, of their states [B, L, D]."""
        raise UnsupportedError(f"{type(self).__name__} does not say how texts are pooled")

    def encode_image(self, images: jax.Array, **views: jax.Array) -> Embedding:
        features, local = image_features(self.image_encoder, self.preprocess(images), train=False)
        return Embedding(
            unit_norm(self.image_head(features)), unit_norm(self.image_head(local)), features
        )

    def encode_text(self, tokens: jax.Array, token_mask: jax.Array) -> Embedding:
        states = self.text_states(tokens, token_mask)
        features = self.pooled_text(states, token_mask)
        return Embedding(
            unit_norm(self.text_head(features)), unit_norm(self.text_head(states)), features
        )


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
