# SPDX-License-Identifier: Apache-2.0
"""DLILP: image-label and image-text pre-training with a head and a temperature of its own each.

Reference: "A Reality Check of Vision-Language Pre-training in Radiology", arXiv:2504.05227,
`L = L_image-label + lambda * L_image-text` with lambda 0.1. Both objectives share the image
encoder; the image-text one sees only samples with a real report, because a prompt made from a
label tells it nothing that the labels do not. The release found those by searching the text
for the prompt's words; here the batch says where a text came from.
"""

import dataclasses
from typing import ClassVar

import jax
from flax import nnx

from medst_jax.data.batch import TEXT_REPORT
from medst_jax.losses.bce import masked_bce_loss
from medst_jax.options import OptionError
from medst_jax.systems.clip import Clip
from medst_jax.systems.parts.label_head import LabelHead, label_metrics
from medst_jax.systems.parts.options import ContrastiveOptions
from medst_jax.systems.parts.towers import image_features
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Metrics, Rngs


@dataclasses.dataclass(frozen=True)
class DlilpOptions(ContrastiveOptions):
    """contrastive_weight: lambda, the weight of the image-text objective."""

    contrastive_weight: float = 0.1


@register("dlilp")
class Dlilp(Clip):
    """CLIP's modules, with a second projection, prototypes and a second temperature for labels."""

    required_keys: ClassVar[tuple[str, ...]] = (*Clip.required_keys, "labels", "label_mask")
    has_prototypes = True
    Options = DlilpOptions

    def __init__(self, options: DlilpOptions):
        if not options.labels:
            raise OptionError("dlilp needs labels; none of the mixture's data sets has any")
        super().__init__(options)
        self.label_head = LabelHead(
            self.image_encoder.features,
            options.joint,
            len(options.labels),
            options.temperature,
            rngs=nnx.Rngs(options.seed + 1),
        )
        self.contrastive_weight = options.contrastive_weight

    def encode(self, batch: Batch, *, rngs: Rngs) -> dict[str, jax.Array]:
        image, text = self.training_features(batch, rngs)
        return {
            "image": self.image_projection(image),
            "label_image": self.label_head.projection(image),
            "text": self.text_projection(text),
        }

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        image, text = encoded["image"], encoded["text"]
        logits = self.label_head.logits(encoded["label_image"])
        known = batch["label_mask"] & batch["has_frontal"][:, None]
        supervised = masked_bce_loss(logits, batch["labels"], known)
        reported = batch["has_frontal"] & (batch["text_source"] == TEXT_REPORT)
        scale, negatives = self.scale(), self.negative_pairs(batch)
        contrastive = self.pair_loss(image, text, scale, mask=reported, negative_mask=negatives)
        metrics = {
            "label_loss": (supervised, 1.0),
            "text_loss": (contrastive, 1.0),
            "scale": (scale, 1.0),
            "label_scale": (self.label_head.scale(), 1.0),
            **label_metrics(logits, batch["labels"], known),
            **self.pair_metrics(image, text, reported),
        }
        return supervised + self.contrastive_weight * contrastive, metrics

    def class_logits(self, images: jax.Array) -> jax.Array:
        features, _ = image_features(self.image_encoder, self.preprocess(images), train=False)
        return self.label_head.logits(self.label_head.projection(features))

    def label_directions(self) -> jax.Array:
        return self.label_head.prototypes()
