# SPDX-License-Identifier: Apache-2.0
"""Image only: edema severity learned from graded radiographs, without text.

Reference: the baseline of Liao et al., arXiv:2103.04537, section 4, and of Chauhan et al.,
arXiv:2008.09884: a residual net and a linear head on its features. Rows without a grade count
for nothing; the mixture decides how many there are.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.data.batch import example_keys
from medst_jax.models.heads.contrastive import unit_norm
from medst_jax.systems.parts.options import ImageOptions
from medst_jax.systems.parts.severity_head import HEADS, QUESTIONS, HeadName, severity_metrics
from medst_jax.systems.parts.towers import image_encoder, image_features
from medst_jax.systems.parts.training_images import purpose_keys, training_images
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Embedding, Metrics, Rngs, System


@dataclasses.dataclass(frozen=True)
class ImageOnlyOptions(ImageOptions):
    """head: "softmax" (four classes) or "ordinal" (severity >= 1, 2, 3)."""

    head: HeadName = "softmax"


@register("image_only")
class ImageOnly(System):
    """An image encoder and a severity head; `class_logits` answers severity >= 1, 2, 3."""

    required_keys: ClassVar[tuple[str, ...]] = ("frontal", "has_frontal", "severity", "example")
    has_text = False
    has_prototypes = True
    Options = ImageOnlyOptions

    def __init__(self, options: ImageOnlyOptions):
        rngs = nnx.Rngs(options.seed)
        self.preprocess, self.augment = options.preprocess, options.augment
        self.labels = QUESTIONS
        self.image_encoder = image_encoder(options, rngs=rngs)
        self.text_encoder = None
        self.severity_head = HEADS[options.head](self.image_encoder.features, rngs=rngs)

    def encode(self, batch: Batch, *, rngs: Rngs) -> dict[str, jax.Array]:
        keys = example_keys(rngs, batch["example"])
        images = training_images(self, batch, keys)
        features, _ = image_features(
            self.image_encoder, images, train=True, keys=purpose_keys(keys, "image")
        )
        return {"severity": self.severity_head(features)}

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        graded = known_severity(batch)
        loss = self.severity_head.loss(encoded["severity"], graded)
        cumulative = self.severity_head.cumulative(encoded["severity"])
        return loss, severity_metrics(cumulative, graded)

    def encode_image(self, images: jax.Array, **views: jax.Array) -> Embedding:
        features, local = image_features(self.image_encoder, self.preprocess(images), train=False)
        return Embedding(unit_norm(features), unit_norm(local), features)

    def class_logits(self, images: jax.Array) -> jax.Array:
        features, _ = image_features(self.image_encoder, self.preprocess(images), train=False)
        return self.severity_head.cumulative(self.severity_head(features))


def known_severity(batch: Batch) -> jax.Array:
    """Severity int8 [B], unknown (-1) also where there is no frontal image."""
    return jnp.where(batch["has_frontal"], batch["severity"], -1)
