# SPDX-License-Identifier: Apache-2.0
"""M-FLAG: an image encoder that learns from a frozen text encoder, without negatives.

Reference: Liu et al., "M-FLAG: Medical Vision-Language Pre-training with Frozen Language Models and Latent
Space Geometry Optimization", MICCAI 2023, arXiv:2307.08347, and its release. The text is [CLS] of a CXR-BERT that never changes;
two heads with batch norm meet in the joint space, and the image encoder's features are drawn towards
orthonormal dimensions.

Other than the release: rows without image or text are left out, statistics and products of features are
those of all devices, and in float32.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.data.batch import example_keys
from medst_jax.losses.orthogonality import orthogonality_loss
from medst_jax.losses.shapes import masked_mean
from medst_jax.models.heads.contrastive import unit_norm
from medst_jax.models.heads.projection_heads import BatchNormHead
from medst_jax.models.layers.frozen import freeze
from medst_jax.systems.parts.options import ImageTextOptions
from medst_jax.systems.parts.pairs import PAIR_KEYS, pair_metrics, paired
from medst_jax.systems.parts.towers import image_features
from medst_jax.systems.parts.training_images import purpose_keys, training_images
from medst_jax.systems.parts.two_towers import HeadedTowers
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Metrics, Rngs


@dataclasses.dataclass(frozen=True)
class MFlagOptions(ImageTextOptions):
    """hidden: inner width of both heads.

    orthogonality_weight: of that term; 0 leaves it out.
    off_diagonal_weight: in it, of the products of two different dimensions.
    """

    joint: int = 1024
    hidden: int = 2048
    orthogonality_weight: float = 1.0
    off_diagonal_weight: float = 0.0051


@register("m_flag")
class MFlag(HeadedTowers):
    """Alignment by cosine with what a frozen text encoder says."""

    required_keys: ClassVar[tuple[str, ...]] = PAIR_KEYS
    Options = MFlagOptions

    def __init__(self, options: MFlagOptions):
        rngs = nnx.Rngs(options.seed)
        super().__init__(options, rngs)
        freeze(self.text_encoder)
        self.orthogonality_weight = options.orthogonality_weight
        self.off_diagonal_weight = options.off_diagonal_weight
        self.image_head, self.text_head = (
            BatchNormHead(encoder.features, options.hidden, options.joint, rngs=rngs)
            for encoder in (self.image_encoder, self.text_encoder)
        )

    def encode(self, batch: Batch, *, rngs: Rngs) -> dict[str, jax.Array]:
        keys = example_keys(rngs, batch["example"])
        features, _ = image_features(
            self.image_encoder,
            training_images(self, batch, keys),
            train=True,
            keys=purpose_keys(keys, "image"),
        )
        # In evaluation mode: a frozen encoder has no dropout.
        states = self.text_states(batch["tokens"], batch["token_mask"])
        return {"image": features, "text": self.pooled_text(states, batch["token_mask"])}

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        mask = paired(batch)
        image = unit_norm(self.image_head(encoded["image"], train=True, mask=mask))
        text = unit_norm(self.text_head(encoded["text"], train=True, mask=mask))
        # Once from each side in the paper; both are the same.
        apart = masked_mean(4.0 - 4.0 * jnp.sum(image * text, axis=1), mask)
        geometry = orthogonality_loss(
            encoded["image"], off_diagonal=self.off_diagonal_weight, mask=mask
        )
        return apart + self.orthogonality_weight * geometry, {
            "alignment_loss": (apart, 1.0),
            "orthogonality_loss": (geometry, 1.0),
            **pair_metrics(image, text, mask),
        }

    def pooled_text(self, states: jax.Array, token_mask: jax.Array) -> jax.Array:
        return states[:, 0]
