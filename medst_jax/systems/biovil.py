# SPDX-License-Identifier: Apache-2.0
"""BioViL: a ResNet's projected patches and CXR-BERT's [CLS] in one space, with masked words.

Reference: Boecking et al., arXiv:2204.09817, section 3.2: `L = w_GA L_GA + w_MLM L_MLM`. The
image's global embedding is the mean of its projected patches. No training code was released;
temperature and weights are options.
"""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.data.batch import example_keys
from medst_jax.losses.clip import clip_loss
from medst_jax.losses.selection import in_form
from medst_jax.models.heads.contrastive import lengths, unit_norm
from medst_jax.models.heads.masked_language import MaskedLanguageHead
from medst_jax.models.heads.projection_heads import ClassTokenHead, PatchProjector
from medst_jax.systems.parts.masked_words import (
    MaskOptions,
    gather_predicted,
    language_loss,
    mask_words,
    predicted_slots,
)
from medst_jax.systems.parts.options import ContrastiveOptions, check_no_flip
from medst_jax.systems.parts.pairs import CONTRAST_KEYS, paired
from medst_jax.systems.parts.training_images import purpose_keys, training_images
from medst_jax.systems.parts.two_towers import ContrastiveTowers
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Embedding, Metrics, Rngs


@dataclasses.dataclass(frozen=True)
class BiovilOptions(ContrastiveOptions):
    """As ContrastiveOptions, with the masked language loss.

    temperature: fixed, of the global loss.
    language_weight: of the masked language loss.
    mask: which words are hidden.
    """

    joint: int = 128
    temperature: float = 0.5
    language_weight: float = 1.0
    mask: MaskOptions = dataclasses.field(default_factory=MaskOptions)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_no_flip(self.augment)


@register("biovil")
class Biovil(ContrastiveTowers):
    """Global alignment and masked language modelling."""

    required_keys: ClassVar[tuple[str, ...]] = (*CONTRAST_KEYS, "word_index")
    Options: ClassVar[type] = BiovilOptions

    def __init__(self, options: Any):
        rngs = nnx.Rngs(options.seed)
        super().__init__(options, rngs)
        self.image_head = PatchProjector(
            self.image_encoder.features, options.joint, options.joint, rngs=rngs
        )
        self.text_head = ClassTokenHead(self.text_encoder.features, options.joint, rngs=rngs)
        self.language_head = MaskedLanguageHead(self.text_encoder.options, rngs=rngs)
        self.temperature, self.mask = options.temperature, options.mask
        self.language_weight = options.language_weight
        self.pair_loss = in_form(clip_loss, options.loss_form, options.loss_chunk)

    def training_patches(self, batch: Batch, keys: jax.Array | None) -> jax.Array:
        """Encoded patches [B, P, D] of the training forward pass."""
        images = training_images(self, batch, keys)
        return self.image_encoder(images, train=True, keys=purpose_keys(keys, "image")).patches

    def attend_to_image(
        self, states: jax.Array, patches: jax.Array, keys: jax.Array | None
    ) -> jax.Array:
        """States [B, L, D] of a text with hidden words; here they see no image."""
        return states

    def encode(self, batch: Batch, *, rngs: Rngs) -> dict[str, jax.Array]:
        keys = example_keys(rngs, batch["example"])
        tokens, token_mask = batch["tokens"], batch["token_mask"]
        patches = self.image_head(self.training_patches(batch, keys), train=True)
        states = self.text_encoder(
            tokens, token_mask, keys=purpose_keys(keys, "text")
        ).hidden_states[-1]
        shown, chosen = mask_words(
            tokens,
            batch["word_index"],
            purpose_keys(keys, "mask"),
            self.text_encoder.options.vocabulary_size,
            self.mask,
        )
        masked_keys = purpose_keys(keys, "masked_text")
        masked = self.text_encoder(shown, token_mask, keys=masked_keys).hidden_states[-1]
        masked = self.attend_to_image(masked, patches, masked_keys)
        slots = predicted_slots(tokens.shape[1], self.mask.rate)
        return {
            "patches": patches,
            "text": self.text_head(states),
            **gather_predicted(masked, tokens, chosen, slots),
        }

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        image = unit_norm(jnp.mean(encoded["patches"].astype(jnp.float32), axis=1))
        text = unit_norm(encoded["text"][:, 0])
        mask, negatives = paired(batch), self.negative_pairs(batch)
        scale = 1 / self.temperature
        contrastive = self.pair_loss(image, text, scale, mask=mask, negative_mask=negatives)
        language, metrics = language_loss(
            self.language_head, self.text_encoder.word_embeddings, encoded
        )
        metrics |= {"global_loss": (contrastive, 1.0), **self.pair_metrics(image, text, mask)}
        return contrastive + self.language_weight * language, metrics

    def encode_image(self, images: jax.Array, **views: jax.Array) -> Embedding:
        return self._embedding(self.image_encoder(self.preprocess(images)))

    def _embedding(self, output: Any) -> Embedding:
        patches = self.image_head(output.patches).astype(jnp.float32)
        return Embedding(unit_norm(jnp.mean(patches, axis=1)), unit_norm(patches), output.pooled)

    def encode_text(self, tokens: jax.Array, token_mask: jax.Array) -> Embedding:
        states = self.text_encoder(tokens, token_mask).hidden_states[-1]
        projected = self.text_head(states)
        local = unit_norm(projected)
        return Embedding(
            local[:, 0], local, states[:, 0].astype(jnp.float32), lengths(projected[:, 0])
        )
