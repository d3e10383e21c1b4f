# SPDX-License-Identifier: Apache-2.0
"""What both forms of mutual information share: encoders, pooler and critic.

Reference: Liao et al., arXiv:2103.04537.
"""

import dataclasses
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.models.heads.contrastive import unit_norm
from medst_jax.models.heads.critic import CRITICS, CriticOptions
from medst_jax.models.heads.pooler import Pooler
from medst_jax.models.layers.dropout import dropout
from medst_jax.systems.parts.options import ImageTextOptions
from medst_jax.systems.parts.towers import region_width, regions
from medst_jax.systems.parts.training_images import purpose_keys, training_images
from medst_jax.systems.parts.two_towers import TwoTowers
from medst_jax.systems.system import Batch, Embedding

Estimator = Literal["dv", "infonce"]
_TEXT_DROPOUT_SITE = 1000  # sites inside the encoder are small numbers


@dataclasses.dataclass(frozen=True)
class MutualInformationOptions(ImageTextOptions):
    """estimator: "dv" or "infonce". critic: its form and sizes.

    moving_average: weight of the new batch in MINE's running mean of exp(score), which takes
      the small-batch bias out of its gradient; 1 uses the batch alone.
    text_dropout: of the pooled text, in [0, 1).
    """

    estimator: Estimator = "infonce"
    critic: CriticOptions = dataclasses.field(default_factory=CriticOptions)
    moving_average: float = 0.1
    text_dropout: float = 0.1


class Information(TwoTowers):
    """Encoders, pooler and critic that the two forms share.

    A critic scores pairs: image and text meet in no common space, so evaluators see an image
    encoder only.
    """

    has_text = False
    has_text_scores = True

    def __init__(self, options: Any, stage: int | None):
        rngs = nnx.Rngs(options.seed)
        super().__init__(options, rngs)
        self.pooler = Pooler(self.text_encoder.features, rngs=rngs)
        self.stage = stage
        width = region_width(self.image_encoder, options, stage)
        self.critic = CRITICS[options.critic.name](
            width, self.text_encoder.features, options.critic, rngs=rngs
        )
        self.chunk = options.critic.chunk
        self.text_dropout = options.text_dropout

    def _image(self, batch: Batch, keys: jax.Array | None) -> Any:
        images = training_images(self, batch, keys)
        return self.image_encoder(images, train=True, keys=purpose_keys(keys, "image"))

    def _pooled(
        self, tokens: jax.Array, token_mask: jax.Array, keys: jax.Array | None = None
    ) -> jax.Array:
        states = self.text_encoder(tokens, token_mask, keys=keys).hidden_states[-1]
        return dropout(self.pooler(states), self.text_dropout, keys, _TEXT_DROPOUT_SITE)

    def _places(self, images: jax.Array) -> jax.Array:
        """What the critic reads of uint8 images, [B, P, D]; the best place counts."""
        output = self.image_encoder(self.preprocess(images))
        return output.pooled[:, None] if self.stage is None else regions(output, self.stage)

    def text_scores(
        self, image: jax.Array, tokens: jax.Array, token_mask: jax.Array, *words: jax.Array
    ) -> jax.Array:
        sides = self.critic.sides(self._places(image), self._pooled(tokens, token_mask))
        return jnp.max(self.critic.combine(*sides)[:, 0], axis=1)

    def encode_image(self, images: jax.Array, **views: jax.Array) -> Embedding:
        output = self.image_encoder(self.preprocess(images))
        features = self._features(output)
        local = unit_norm(regions(output, self.stage))
        return Embedding(unit_norm(features), local, features)

    def _features(self, output: Any) -> jax.Array:
        """What probes read, float32 [B, D]."""
        return output.pooled
