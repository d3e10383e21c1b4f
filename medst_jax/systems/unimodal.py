# SPDX-License-Identifier: Apache-2.0
"""Unimodal: supervised pre-training of the image encoder on labels, no text.

Reference: "A Reality Check of Vision-Language Pre-training in Radiology", arXiv:2504.05227:
scaled cosines between projected image and label prototypes, binary cross-entropy over the
labels that the sample's data set knows.
"""

from typing import ClassVar

import jax
from flax import nnx

from medst_jax.data.batch import example_keys
from medst_jax.losses.bce import masked_bce_loss
from medst_jax.options import OptionError
from medst_jax.systems.parts.label_head import LabelHead, label_metrics
from medst_jax.systems.parts.options import ImageOptions
from medst_jax.systems.parts.towers import image_encoder, image_features
from medst_jax.systems.parts.training_images import purpose_keys, training_images
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Embedding, Metrics, Rngs, System


@register("unimodal")
class Unimodal(System):
    """An image encoder, a projection, a learned temperature and one prototype per label."""

    required_keys: ClassVar[tuple[str, ...]] = (
        "frontal",
        "has_frontal",
        "labels",
        "label_mask",
        "example",
    )
    has_text = False
    has_prototypes = True
    Options = ImageOptions

    def __init__(self, options: ImageOptions):
        if not options.labels:
            raise OptionError("unimodal needs labels; none of the mixture's data sets has any")
        rngs = nnx.Rngs(options.seed)
        self.preprocess, self.augment = options.preprocess, options.augment
        self.labels = options.labels
        self.image_encoder = image_encoder(options, rngs=rngs)
        self.text_encoder = None
        self.label_head = LabelHead(
            self.image_encoder.features,
            options.joint,
            len(options.labels),
            options.temperature,
            rngs=rngs,
        )

    def encode(self, batch: Batch, *, rngs: Rngs) -> dict[str, jax.Array]:
        keys = example_keys(rngs, batch["example"])
        images = training_images(self, batch, keys)
        features, _ = image_features(
            self.image_encoder, images, train=True, keys=purpose_keys(keys, "image")
        )
        return {"label_image": self.label_head.projection(features)}

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        logits = self.label_head.logits(encoded["label_image"])
        known = batch["label_mask"] & batch["has_frontal"][:, None]
        loss = masked_bce_loss(logits, batch["labels"], known)
        return loss, label_metrics(logits, batch["labels"], known)

    def encode_image(self, images: jax.Array, **views: jax.Array) -> Embedding:
        features, local = image_features(self.image_encoder, self.preprocess(images), train=False)
        project = self.label_head.projection
        return Embedding(project(features), project(local), features)

    def class_logits(self, images: jax.Array) -> jax.Array:
        features, _ = image_features(self.image_encoder, self.preprocess(images), train=False)
        return self.label_head.logits(self.label_head.projection(features))

    def label_directions(self) -> jax.Array:
        return self.label_head.prototypes()
