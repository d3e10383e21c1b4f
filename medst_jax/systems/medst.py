# SPDX-License-Identifier: Apache-2.0
"""Med-ST: frontal and lateral views, words and patches, and the order of a patient's studies.

Reference: Yang et al., "Unlocking the Power of Spatial and Temporal Information in Medical
Multimodal Pre-training", arXiv:2405.19654: `L = w1 L_ita + w2 L_local + w3 L_temporal`.
docs/temporal.md maps the paper's equations and lists what its release does otherwise.
"""

import dataclasses
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.data.batch import example_keys
from medst_jax.losses.clip import clip_loss
from medst_jax.losses.selection import in_form
from medst_jax.losses.temporal import cycle_consistency_loss
from medst_jax.losses.token_alignment import attended, token_alignment_loss
from medst_jax.models.heads.contrastive import lengths, unit_norm
from medst_jax.models.heads.projection_heads import (
    BatchNormHead,
    HeadForm,
    LinearHead,
    aligning_head,
)
from medst_jax.models.heads.token_weights import TokenWeights
from medst_jax.models.layers.word_pieces import aggregate_words, distinct_words
from medst_jax.options import before
from medst_jax.systems.parts.aligned_tokens import aligned_tokens
from medst_jax.systems.parts.options import (
    ContrastiveOptions,
    Negatives,
    check_image,
    check_no_flip,
)
from medst_jax.systems.parts.pairs import CONTRAST_KEYS, paired
from medst_jax.systems.parts.training_images import purpose_keys, training_images
from medst_jax.systems.parts.two_towers import ContrastiveTowers
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Embedding, Metrics, Rngs


@dataclasses.dataclass(frozen=True)
class MedstOptions(ContrastiveOptions):
    """image: an encoder of two views, whose name begins with "view_experts".

    heads: "batch_norm", the paper's; or "linear", for few steps from random weights, see
      `models.aligning_head`.
    hidden: inner width of heads with batch norm.
    temperature, local_temperature, temporal_temperature: fixed, of the three terms.
    global_weight, local_weight, temporal_weight: of the three terms.
    times: "uniform" places the k-th of n studies at k / n, "days" where its day puts it.
    curriculum: steps over which the temporal weight rises from 0; 0 starts with it whole.
    local_negatives: "other_words": an equal word of the text is no negative of a word; "all": it is, as
      released.
    temporal_negatives: "other_texts": a study of the sequence with an equal text is no rival of a study;
      "all": it is, as released.
    """

    joint: int = 128
    heads: HeadForm = "batch_norm"
    hidden: int = 2048
    temperature: float = 0.07
    local_temperature: float = 0.1
    temporal_temperature: float = 0.1
    global_weight: float = 1.0
    local_weight: float = 1.0
    temporal_weight: float = 1.0
    times: Literal["uniform", "days"] = "uniform"
    curriculum: int = 0
    local_negatives: Literal["other_words", "all"] = dataclasses.field(
        default="other_words", metadata=before("all")
    )
    temporal_negatives: Negatives = dataclasses.field(default="other_texts", metadata=before("all"))

    def __post_init__(self) -> None:
        super().__post_init__()
        check_no_flip(self.augment)
        needs = "medst needs an encoder of two views, such as view_experts_b16"
        check_image(self.image, "view_experts", needs)


@register("medst")
class Medst(ContrastiveTowers):
    """View experts, global and weighted local alignment, cycle consistency over time."""

    required_keys: ClassVar[tuple[str, ...]] = (
        *CONTRAST_KEYS,
        "lateral",
        "has_lateral",
        "word_index",
        "sequence_rows",
        "study_days",
    )
    Options = MedstOptions

    def __init__(self, options: MedstOptions):
        rngs = nnx.Rngs(options.seed)
        super().__init__(options, rngs)
        self.pair_loss = in_form(clip_loss, options.loss_form, options.loss_chunk)
        self.temperature = options.temperature
        self.local_temperature = options.local_temperature
        self.temporal_temperature = options.temporal_temperature
        self.global_weight, self.local_weight = options.global_weight, options.local_weight
        self.temporal_weight = options.temporal_weight
        self.local_negatives = options.local_negatives
        self.temporal_negatives = options.temporal_negatives
        self.dated, self.curriculum = options.times == "days", options.curriculum

        def head(features: int) -> BatchNormHead | LinearHead:
            return aligning_head(options.heads, features, options.hidden, options.joint, rngs=rngs)

        self.image_head = head(self.image_encoder.features)
        self.patch_head = head(self.image_encoder.features)
        self.text_head = head(self.text_encoder.features)
        self.word_head = head(self.text_encoder.features)
        self.word_weights = TokenWeights(options.joint, rngs=rngs)
        self.patch_weights = TokenWeights(options.joint, rngs=rngs)
        self.steps = nnx.BatchStat(jnp.zeros((), jnp.int32), axes=())

    def encode(self, batch: Batch, *, rngs: Rngs) -> dict[str, jax.Array]:
        keys = example_keys(rngs, batch["example"])
        output = self.image_encoder(
            training_images(self, batch, keys),
            training_images(self, batch, keys, "lateral", "augment_lateral"),
            batch["has_lateral"],
            keys=purpose_keys(keys, "image"),
            train=True,
        )
        states = self.text_encoder(
            batch["tokens"], batch["token_mask"], keys=purpose_keys(keys, "text")
        ).hidden_states[-1]
        words, word_mask = aggregate_words(states, batch["word_index"])
        return {
            "image": output.pooled,
            "patches": output.patches,
            "text": states[:, 0],
            "words": words,
            "word_mask": word_mask,
        }

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        pairs = paired(batch)
        image = unit_norm(self.image_head(encoded["image"], train=True, mask=pairs))
        text = unit_norm(self.text_head(encoded["text"], train=True, mask=pairs))
        scale, negatives = 1 / self.temperature, self.negative_pairs(batch)
        mean = self.pair_loss(image, text, scale, mask=pairs, negative_mask=negatives)
        alignment = 2 * mean  # the paper sums both directions where CLIP takes their mean
        word_term, patch_term = self._local(encoded, batch, pairs)
        usable = study_mask(batch, pairs)
        temporal = cycle_consistency_loss(
            gather_sequences(image, batch["sequence_rows"]),
            gather_sequences(text, batch["sequence_rows"]),
            usable,
            times=batch["study_days"] if self.dated else None,
            temperature=self.temporal_temperature,
            negative_mask=None
            if self.temporal_negatives == "all"
            else other_texts(batch["text"], batch["sequence_rows"]),
        )
        total = (
            self.global_weight * alignment
            + self.local_weight * (word_term + patch_term)
            + self.temporal_weight * self._ramp() * temporal
        )
        several = jnp.sum(usable, axis=1) > 1
        return total, {
            "global_loss": (alignment, 1.0),
            "word_loss": (word_term, 1.0),
            "patch_loss": (patch_term, 1.0),
            "temporal_loss": (temporal, 1.0),
            "studies_in_sequences": (jnp.sum(usable & several[:, None]), jnp.sum(pairs)),
            **self.pair_metrics(image, text, pairs),
        }

    def _local(
        self, encoded: dict[str, jax.Array], batch: Batch, pairs: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Word and patch terms of the modality-weighted local alignment."""
        word_mask = encoded["word_mask"] & pairs[:, None]
        views = jnp.stack([batch["has_frontal"], batch["has_lateral"]], axis=1) & pairs[:, None]
        patch_mask = jnp.repeat(views, encoded["patches"].shape[1] // 2, axis=1)
        words, patches = aligned_tokens(
            self.word_head, self.patch_head, encoded, word_mask, patch_mask
        )
        temperature = jnp.float32(self.local_temperature)
        # What a word and the patches it looks at have in common decides how much it weighs.
        seen = unit_norm(attended(words, patches, patch_mask, temperature))
        read = attended(patches, words, word_mask, temperature)
        return token_alignment_loss(
            words,
            patches,
            word_mask,
            patch_mask,
            self.word_weights(unit_norm(words * seen), word_mask),
            self.patch_weights(unit_norm(patches * read), patch_mask),
            temperature=temperature,
            negative_mask=None
            if self.local_negatives == "all"
            else distinct_words(batch["tokens"], batch["word_index"]),
        )

    def _ramp(self) -> jax.Array | float:
        if not self.curriculum:
            return 1.0
        before = self.steps[...]
        self.steps.set_value(before + 1)
        return jnp.minimum(before.astype(jnp.float32) / self.curriculum, 1.0)

    def encode_image(self, images: jax.Array, **views: jax.Array) -> Embedding:
        """Embed images, with `lateral` uint8 [B, S, S, 1] and `has_lateral` bool [B] if given."""
        lateral: Any = views.get("lateral")
        if lateral is not None:
            lateral = self.preprocess(lateral)
        output = self.image_encoder(self.preprocess(images), lateral, views.get("has_lateral"))
        return Embedding(
            unit_norm(self.image_head(output.pooled)),
            unit_norm(self.patch_head(output.patches)),
            output.pooled,
        )

    def encode_text(self, tokens: jax.Array, token_mask: jax.Array) -> Embedding:
        """Embed texts; `local` holds tokens, which training sums to words."""
        states = self.text_encoder(tokens, token_mask).hidden_states[-1]
        features = states[:, 0].astype(jnp.float32)
        local = unit_norm(self.word_head(states))
        report = self.text_head(features)
        return Embedding(unit_norm(report), local, features, lengths(report))


def gather_sequences(values: jax.Array, sequence_rows: jax.Array) -> jax.Array:
    """Rows [B, ...] as sequences [N, T, ...]; absent places are zero."""
    present = sequence_rows >= 0
    gathered = values[jnp.maximum(sequence_rows, 0)]
    return jnp.where(present.reshape(*present.shape, *[1] * (values.ndim - 1)), gathered, 0)


def study_mask(batch: Batch, usable: jax.Array) -> jax.Array:
    """Bool [N, T]: places that hold a study which `usable` [B] lets take part."""
    rows = batch["sequence_rows"]
    return (rows >= 0) & usable[jnp.maximum(rows, 0)]


def other_texts(text: jax.Array, sequence_rows: jax.Array) -> jax.Array:
    """Bool [N, T, T]: which studies of a sequence have different texts.

    Args:
      text: int32 [B], equal numbers for equal texts.
      sequence_rows: int32 [N, T], rows of a sequence; what absent places say does not count.
    """
    texts = text[jnp.maximum(sequence_rows, 0)]
    return texts[:, :, None] != texts[:, None, :]
