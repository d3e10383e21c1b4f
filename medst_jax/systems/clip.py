# SPDX-License-Identifier: Apache-2.0
"""CLIP: images and texts in one space, matched pair against the rest of the batch.

Reference: Radford et al., arXiv:2103.00020; sizes and temperature as the CLIP baseline of
"A Reality Check of Vision-Language Pre-training in Radiology", arXiv:2504.05227.
"""

from typing import ClassVar

import jax
from flax import nnx

from medst_jax.data.batch import example_keys
from medst_jax.losses.clip import clip_loss
from medst_jax.losses.selection import in_form
from medst_jax.models.heads.contrastive import Projection, Temperature
from medst_jax.systems.parts.options import ContrastiveOptions
from medst_jax.systems.parts.pairs import CONTRAST_KEYS, paired
from medst_jax.systems.parts.towers import image_features, text_features
from medst_jax.systems.parts.training_images import purpose_keys, training_images
from medst_jax.systems.parts.two_towers import ContrastiveTowers
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Embedding, Metrics, Rngs


@register("clip")
class Clip(ContrastiveTowers):
    """Two encoders, two projections and a learned temperature."""

    required_keys: ClassVar[tuple[str, ...]] = CONTRAST_KEYS
    Options = ContrastiveOptions

    def __init__(self, options: ContrastiveOptions):
        rngs = nnx.Rngs(options.seed)
        super().__init__(options, rngs)
        self.make_projections(options, rngs)
        self.scale = Temperature(1 / options.temperature)
        self.pair_loss = in_form(clip_loss, options.loss_form, options.loss_chunk)

    def make_projections(self, options: ContrastiveOptions, rngs: nnx.Rngs) -> None:
        """Set `image_projection` and `text_projection`, from features to the joint space."""
        self.image_projection = Projection(self.image_encoder.features, options.joint, rngs=rngs)
        self.text_projection = Projection(self.text_encoder.features, options.joint, rngs=rngs)

    def project_image(self, features: jax.Array) -> jax.Array:
        """Image features [..., D] to the joint space, float32 [..., E] of unit norm."""
        return self.image_projection(features)

    def project_text(self, features: jax.Array) -> jax.Array:
        """Text features [..., D'] to the joint space, float32 [..., E] of unit norm."""
        return self.text_projection(features)

    def training_features(self, batch: Batch, rngs: Rngs) -> tuple[jax.Array, jax.Array]:
        """Image features [B, D] and text features [B, D'] of the training forward pass."""
        keys = example_keys(rngs, batch["example"])
        images = training_images(self, batch, keys)
        features, _ = image_features(
            self.image_encoder, images, train=True, keys=purpose_keys(keys, "image")
        )
        pooled, _ = text_features(
            self.text_encoder, batch["tokens"], batch["token_mask"], purpose_keys(keys, "text")
        )
        return features, pooled

    def encode(self, batch: Batch, *, rngs: Rngs) -> dict[str, jax.Array]:
        image, text = self.training_features(batch, rngs)
        return {"image": self.project_image(image), "text": self.project_text(text)}

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        image, text, mask = encoded["image"], encoded["text"], paired(batch)
        negatives = self.negative_pairs(batch)
        loss = self.pair_loss(image, text, self.scale(), mask=mask, negative_mask=negatives)
        return loss, {**self.pair_metrics(image, text, mask), "scale": (self.scale(), 1.0)}

    def encode_image(self, images: jax.Array, **views: jax.Array) -> Embedding:
        features, local = image_features(self.image_encoder, self.preprocess(images), train=False)
        return Embedding(self.project_image(features), self.project_image(local), features)

    def encode_text(self, tokens: jax.Array, token_mask: jax.Array) -> Embedding:
        features, local = text_features(self.text_encoder, tokens, token_mask)
        return Embedding(self.project_text(features), self.project_text(local), features)
