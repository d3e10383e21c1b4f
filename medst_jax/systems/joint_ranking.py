# SPDX-License-Identifier: Apache-2.0
"""Joint image-text model with a ranking loss whose margin is the difference in edema severity.

Reference: Chauhan et al., "Joint Modeling of Chest Radiographs and Radiology Reports for
Pulmonary Edema Assessment", arXiv:2008.09884: `CE(image) + CE(text) + J`. The joint space is
the encoders' own, not normalised. Semi-supervised training is two runs: first J alone on every
study (a mixture without grades: the classifiers then have nothing to learn), then the
supervised loss from those weights. The release guards its gradient clipping by a condition that
never holds; here clipping is the optimizer's.
"""

import dataclasses
from collections.abc import Callable
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.data.batch import example_keys
from medst_jax.losses.ranking import report_ranking_loss
from medst_jax.models.heads.contrastive import unit_norm
from medst_jax.models.heads.pooler import Pooler
from medst_jax.models.layers.dropout import dropout
from medst_jax.systems.image_only import known_severity
from medst_jax.systems.parts.options import ImageTextOptions
from medst_jax.systems.parts.pairs import paired
from medst_jax.systems.parts.severity_head import HEADS, QUESTIONS, HeadName, severity_metrics
from medst_jax.systems.parts.towers import image_features
from medst_jax.systems.parts.training_images import purpose_keys, training_images
from medst_jax.systems.parts.two_towers import TwoTowers
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Embedding, Metrics, Rngs


@dataclasses.dataclass(frozen=True)
class JointRankingOptions(ImageTextOptions):
    """joint: width E; a side whose features have another width gets a linear map to it.

    head: of both classifiers, "softmax" or "ordinal".
    similarity: inside the ranking loss.
    text_dropout: of the pooled text, in [0, 1).
    """

    head: HeadName = "softmax"
    similarity: Literal["dot", "cosine", "l2"] = "dot"
    text_dropout: float = 0.1


@register("joint_ranking")
class JointRanking(TwoTowers):
    """Two encoders into one space, a severity classifier on each, and the ranking loss."""

    required_keys: ClassVar[tuple[str, ...]] = (
        "frontal",
        "has_frontal",
        "tokens",
        "token_mask",
        "text_source",
        "severity",
        "example",
        "study",
    )
    has_prototypes = True
    Options = JointRankingOptions

    def __init__(self, options: JointRankingOptions):
        rngs = nnx.Rngs(options.seed)
        super().__init__(options, rngs)
        self.labels = QUESTIONS
        self.pooler = Pooler(self.text_encoder.features, rngs=rngs)
        self.image_joint = _to_width(self.image_encoder.features, options.joint, rngs)
        self.text_joint = _to_width(self.text_encoder.features, options.joint, rngs)
        self.image_severity = HEADS[options.head](options.joint, rngs=rngs)
        self.text_severity = HEADS[options.head](options.joint, rngs=rngs)
        self.similarity = options.similarity
        self.text_dropout = options.text_dropout

    def encode(self, batch: Batch, *, rngs: Rngs) -> dict[str, jax.Array]:
        keys = example_keys(rngs, batch["example"])
        images = training_images(self, batch, keys)
        features, _ = image_features(
            self.image_encoder, images, train=True, keys=purpose_keys(keys, "image")
        )
        text_keys = purpose_keys(keys, "text")
        states = self.text_encoder(batch["tokens"], batch["token_mask"], keys=text_keys)
        pooled = self.pooler(states.hidden_states[-1])
        # Sites of dropout inside the encoder are small numbers.
        pooled = dropout(pooled, self.text_dropout, text_keys, 1000)
        image, text = self.image_joint(features), self.text_joint(pooled)
        return {
            "image": image,
            "text": text,
            "image_severity": self.image_severity(image),
            "text_severity": self.text_severity(text),
        }

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        pairs = paired(batch)
        graded = known_severity(batch)
        image_term, text_term = report_ranking_loss(
            encoded["image"],
            encoded["text"],
            graded,
            batch["study"],
            similarity=self.similarity,
            mask=pairs,
        )
        by_image = self.image_severity.loss(encoded["image_severity"], graded)
        by_text = self.text_severity.loss(encoded["text_severity"], jnp.where(pairs, graded, -1))
        metrics = {
            "ranking_loss": (image_term + text_term, 1.0),
            "image_severity_loss": (by_image, 1.0),
            "text_severity_loss": (by_text, 1.0),
            **severity_metrics(self.image_severity.cumulative(encoded["image_severity"]), graded),
        }
        return by_image + by_text + image_term + text_term, metrics

    def encode_image(self, images: jax.Array, **views: jax.Array) -> Embedding:
        features, local = image_features(self.image_encoder, self.preprocess(images), train=False)
        return Embedding(
            unit_norm(self.image_joint(features)), unit_norm(self.image_joint(local)), features
        )

    def encode_text(self, tokens: jax.Array, token_mask: jax.Array) -> Embedding:
        states = self.text_encoder(tokens, token_mask).hidden_states[-1]
        pooled = self.pooler(states)
        return Embedding(
            unit_norm(self.text_joint(pooled)), unit_norm(self.text_joint(states)), pooled
        )

    def class_logits(self, images: jax.Array) -> jax.Array:
        features, _ = image_features(self.image_encoder, self.preprocess(images), train=False)
        return self.image_severity.cumulative(self.image_severity(self.image_joint(features)))


class _Identity(nnx.Module):
    """Features that already have the joint space's width."""

    def __call__(self, x: jax.Array) -> jax.Array:
        """[..., E] -> float32 [..., E]."""
        return x.astype(jnp.float32)


def _to_width(features: int, joint: int, rngs: nnx.Rngs) -> Callable[[jax.Array], jax.Array]:
    """The identity where the widths agree (as in the papers), else a linear map."""
    if features == joint:
        return _Identity()
    return nnx.Linear(
        features,
        joint,
        kernel_metadata={"axes": ("embed", "joint")},
        bias_metadata={"axes": ("joint",)},
        rngs=rngs,
    )
