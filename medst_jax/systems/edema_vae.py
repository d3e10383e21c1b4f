# SPDX-License-Identifier: Apache-2.0
"""Semi-supervised variational autoencoder: every image teaches the latent, graded ones the grade.

Reference: Liao et al. 2019, "Semi-supervised Learning for Quantification of Pulmonary Edema in
Chest X-Ray Images", arXiv:1902.10785: log p(x) on unlabelled and log p(x, y) on labelled
images, by the bound E log p(x | z) - KL(q || p), plus E log p(y | z) where y is known. p(x | z) is
Gaussian with a fixed deviation; y is graded by cumulative logits rather than regressed, so that
it is judged as the other systems are. No release exists: sizes and weights are our own.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.data.batch import example_keys
from medst_jax.losses.gaussian import gaussian_kl
from medst_jax.losses.severity import LEVELS, ordinal_severity_loss
from medst_jax.models.heads.contrastive import unit_norm
from medst_jax.systems.image_only import known_severity
from medst_jax.systems.parts.options import ImageOptions
from medst_jax.systems.parts.severity_head import QUESTIONS, severity_metrics
from medst_jax.systems.parts.towers import autoencoder
from medst_jax.systems.parts.training_images import purpose_keys, training_images
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Embedding, Metrics, Rngs, System


@dataclasses.dataclass(frozen=True)
class EdemaVaeOptions(ImageOptions):
    """image: {"name": "variational" or "variational_small", overrides}.

    deviation: of p(x | z), in units of the normalised image.
    kl_weight: beta; 1 is the bound itself.
    label_weight: alpha, of -log p(y | z) against the bound per pixel.
    """

    deviation: float = 1.0
    kl_weight: float = 1.0
    label_weight: float = 1.0


@register("edema_vae")
class EdemaVae(System):
    """An autoencoder whose latent also answers severity >= 1, 2, 3."""

    required_keys: ClassVar[tuple[str, ...]] = ("frontal", "has_frontal", "severity", "example")
    has_text = False
    has_prototypes = True
    Options = EdemaVaeOptions

    def __init__(self, options: EdemaVaeOptions):
        self.preprocess, self.augment = options.preprocess, options.augment
        self.labels = QUESTIONS
        self.image_encoder = autoencoder(options, outputs=LEVELS - 1, rngs=nnx.Rngs(options.seed))
        self.text_encoder = None
        self.deviation = options.deviation
        self.kl_weight, self.label_weight = options.kl_weight, options.label_weight

    def encode(self, batch: Batch, *, rngs: Rngs) -> dict[str, jax.Array]:
        keys = example_keys(rngs, batch["example"])
        images = training_images(self, batch, keys)
        output = self.image_encoder(images, train=True, keys=purpose_keys(keys, "image"))
        error = jnp.mean(jnp.square(output.images - images), axis=(1, 2, 3))
        return {
            "mean": output.mean,
            "log_variance": output.log_variance,
            "error": error,
            "severity": output.severity,
        }

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        shown, graded = batch["has_frontal"], known_severity(batch)
        # All terms in nats per pixel, so that the weight of the label is free of the image's size.
        count = jnp.maximum(jnp.sum(shown), 1)
        error = jnp.sum(jnp.where(shown, encoded["error"], 0.0)) / count
        reconstruction = error / (2 * self.deviation**2)
        divergence = gaussian_kl(encoded["mean"], encoded["log_variance"], mask=shown)
        pixels = self.preprocess.size**2 * self.preprocess.channels
        grade = ordinal_severity_loss(encoded["severity"], graded)
        loss = reconstruction + self.kl_weight * divergence / pixels + self.label_weight * grade
        metrics = {
            "squared_error": (error, 1.0),
            "kl": (divergence, 1.0),
            "severity_loss": (grade, 1.0),
            **severity_metrics(encoded["severity"], graded),
        }
        return loss, metrics

    def encode_image(self, images: jax.Array, **views: jax.Array) -> Embedding:
        features = self.image_encoder(self.preprocess(images)).pooled
        return Embedding(unit_norm(features), unit_norm(features)[:, None], features)

    def class_logits(self, images: jax.Array) -> jax.Array:
        return self.image_encoder(self.preprocess(images)).severity
