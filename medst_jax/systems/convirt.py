# SPDX-License-Identifier: Apache-2.0
"""ConVIRT: an image against one sentence of its report, with unequal weights of the directions.

Reference: Zhang et al., "Contrastive Learning of Medical Visual Representations from Paired Images
and Text", arXiv:2010.00747. Its authors released no training code. The text is the maximum over
its tokens in BERT's last layer; both projections have one hidden layer.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.data.batch import example_keys
from medst_jax.losses.convirt import convirt_loss
from medst_jax.models.heads.contrastive import unit_norm
from medst_jax.models.heads.projection_heads import MlpHead
from medst_jax.options import before
from medst_jax.systems.parts.options import ImageTextOptions, Negatives
from medst_jax.systems.parts.pairs import CONTRAST_KEYS, negative_pairs, pair_metrics, paired
from medst_jax.systems.parts.towers import image_features
from medst_jax.systems.parts.training_images import purpose_keys, training_images
from medst_jax.systems.parts.two_towers import HeadedTowers
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Metrics, Rngs


@dataclasses.dataclass(frozen=True)
class ConvirtTowerOptions(ImageTextOptions):
    """hidden: inner width of both projections; 0 takes that of the features that each projects.

    temperature: fixed.
    image_weight: in [0, 1], of images as anchors among texts; the rest is that of texts.
    """

    hidden: int = 512
    temperature: float = 0.1
    image_weight: float = 0.75


@dataclasses.dataclass(frozen=True)
class ConvirtOptions(ConvirtTowerOptions):
    """negatives: "other_texts": rows of another study with another text, for single sentences repeat; "all":
    every other row, as in the paper.
    """

    negatives: Negatives = dataclasses.field(default="other_texts", metadata=before("all"))


class ConvirtTowers(HeadedTowers):
    """Two encoders, of texts the maximum over tokens, and two projections; losses are the subclass's."""

    def __init__(self, options: ConvirtTowerOptions):
        rngs = nnx.Rngs(options.seed)
        super().__init__(options, rngs)
        self.temperature, self.image_weight = options.temperature, options.image_weight

        def head(features: int) -> MlpHead:
            return MlpHead(features, options.hidden or features, options.joint, rngs=rngs)

        self.image_head = head(self.image_encoder.features)
        self.text_head = head(self.text_encoder.features)

    def encode(self, batch: Batch, *, rngs: Rngs) -> dict[str, jax.Array]:
        keys = example_keys(rngs, batch["example"])
        features, _ = image_features(
            self.image_encoder,
            training_images(self, batch, keys),
            train=True,
            keys=purpose_keys(keys, "image"),
        )
        states = self.text_states(batch["tokens"], batch["token_mask"], purpose_keys(keys, "text"))
        text = self.pooled_text(states, batch["token_mask"])
        return {
            "image": unit_norm(self.image_head(features)),
            "text": unit_norm(self.text_head(text)),
        }

    def pooled_text(self, states: jax.Array, token_mask: jax.Array) -> jax.Array:
        return masked_max(states, token_mask)


@register("convirt")
class Convirt(ConvirtTowers):
    """Two encoders and two projections under a contrastive loss of fixed temperature."""

    required_keys: ClassVar[tuple[str, ...]] = CONTRAST_KEYS
    Options = ConvirtOptions

    def __init__(self, options: ConvirtOptions):
        super().__init__(options)
        self.negatives = options.negatives

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        image, text, mask = encoded["image"], encoded["text"], paired(batch)
        negatives = None if self.negatives == "all" else negative_pairs(batch)
        loss = convirt_loss(
            image, text, self.temperature, self.image_weight, mask=mask, negative_mask=negatives
        )
        return loss, pair_metrics(image, text, mask)


def masked_max(states: jax.Array, mask: jax.Array) -> jax.Array:
    """The maximum [B, D] over the valid tokens of states [B, L, D]; zeros where there is none."""
    lowest = jnp.finfo(states.dtype).min
    maximum = jnp.max(jnp.where(mask[..., None], states, lowest), axis=1)
    return jnp.where(jnp.any(mask, axis=1, keepdims=True), maximum, 0.0)
