# SPDX-License-Identifier: Apache-2.0
"""CXR-BERT: a text encoder of radiology, from general text to reports, in three phases.

Reference: Boecking et al., "Making the Most of Text Semantics to Improve Biomedical
Vision-Language Processing", arXiv:2204.09817, section 3.1. Phases I and II are masked language
modelling on general and clinical text ("cxr_bert_language"); phase III adds radiology section
matching ("cxr_bert"): the findings and the impression of a report must find each other. No
training code was released; weights, dropout and temperature are the paper's where it gives them.
"""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.data.batch import example_keys
from medst_jax.data.preprocess import Preprocess
from medst_jax.losses import clip_loss
from medst_jax.models import ClassTokenHead, MaskedLanguageHead, unit_norm
from medst_jax.systems.embedding import Embedding
from medst_jax.systems.masked_words import (
    MaskOptions,
    gather_predicted,
    language_loss,
    mask_words,
    predicted_slots,
)
from medst_jax.systems.pairs import negative_mask, pair_metrics
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Metrics, Rngs, System
from medst_jax.systems.towers import text_encoder
from medst_jax.systems.training_images import purpose_keys


@dataclasses.dataclass(frozen=True)
class TextOptions:
    """A text encoder and its head; every value is plain JSON.

    text: {"name": ..., overrides of the encoder's options}.
    joint: width E of the joint space.
    mask: which words are hidden.
    preprocess: of images, which a text encoder never sees; kept with its checkpoint so that
      image-text systems that start from it are told.
    """

    text: dict[str, Any]
    joint: int = 128
    mask: MaskOptions = dataclasses.field(default_factory=MaskOptions)
    preprocess: Preprocess = dataclasses.field(default_factory=lambda: Preprocess(size=224))
    labels: tuple[str, ...] = ()
    vocabulary_size: int = 0
    seed: int = 0


@register("cxr_bert_language")
class CxrBertLanguage(System):
    """Phases I and II: a BERT that predicts hidden words."""

    has_image = False
    required_keys: ClassVar[tuple[str, ...]] = ("tokens", "token_mask", "word_index", "example")
    Options: ClassVar[type] = TextOptions

    def __init__(self, options: Any):
        rngs = nnx.Rngs(options.seed)
        self.preprocess, self.labels = options.preprocess, options.labels
        self.text_encoder = text_encoder(options, rngs=rngs)
        self.language_head = MaskedLanguageHead(self.text_encoder.options, rngs=rngs)
        self.text_head = ClassTokenHead(self.text_encoder.features, options.joint, rngs=rngs)
        self.mask = options.mask

    def encode(self, batch: Batch, *, rngs: Rngs) -> dict[str, jax.Array]:
        keys = example_keys(rngs, batch["example"])
        tokens, words = batch["tokens"], batch["word_index"]
        vocabulary = self.text_encoder.options.vocabulary_size
        masking = purpose_keys(keys, "mask")
        shown, chosen = mask_words(tokens, words, masking, vocabulary, self.mask)
        states = self.text_encoder(
            shown, batch["token_mask"], keys=purpose_keys(keys, "masked_text")
        ).hidden_states[-1]
        slots = predicted_slots(tokens.shape[1], self.mask.rate)
        return gather_predicted(states, tokens, chosen, slots)

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        return language_loss(self.language_head, self.text_encoder.word_embeddings, encoded)

    def encode_text(self, tokens: jax.Array, token_mask: jax.Array) -> Embedding:
        states = self.text_encoder(tokens, token_mask).hidden_states[-1]
        local = unit_norm(self.text_head(states))
        return Embedding(local[:, 0], local, states[:, 0].astype(jnp.float32))


@dataclasses.dataclass(frozen=True)
class CxrBertOptions(TextOptions):
    """temperature: of section matching. language_weight: of the masked language loss."""

    temperature: float = 0.5
    language_weight: float = 0.1


@register("cxr_bert")
class CxrBert(CxrBertLanguage):
    """Phase III: section matching and masked language modelling on reports."""

    required_keys: ClassVar[tuple[str, ...]] = (
        *CxrBertLanguage.required_keys,
        "study",
        "text",
        "findings_tokens",
        "findings_mask",
        "impression_tokens",
        "impression_mask",
    )
    Options: ClassVar[type] = CxrBertOptions

    def __init__(self, options: CxrBertOptions):
        super().__init__(options)
        self.temperature = options.temperature
        self.language_weight = options.language_weight

    def encode(self, batch: Batch, *, rngs: Rngs) -> dict[str, jax.Array]:
        keys = example_keys(rngs, batch["example"])
        encoded = super().encode(batch, rngs=rngs)
        for name, purpose in (("findings", "text"), ("impression", "impression")):
            states = self.text_encoder(
                batch[f"{name}_tokens"], batch[f"{name}_mask"], keys=purpose_keys(keys, purpose)
            ).hidden_states[-1]
            encoded[name] = unit_norm(self.text_head(states[:, 0]))
        return encoded

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        findings, impression = encoded["findings"], encoded["impression"]
        mask = jnp.any(batch["findings_mask"], axis=1) & jnp.any(batch["impression_mask"], axis=1)
        matching = clip_loss(
            findings, impression, 1 / self.temperature, mask=mask, negative_mask=self._unlike(batch)
        )
        language, metrics = super().objective(encoded, batch)
        hits = pair_metrics(findings, impression, mask)["image_to_text_accuracy"]
        metrics |= {"matching_loss": (matching, 1.0), "section_accuracy": hits}
        return matching + self.language_weight * language, metrics

    @staticmethod
    def _unlike(batch: Batch) -> jax.Array:
        """Bool [B, B]: pairs of other studies with another impression ("No acute disease.")."""
        tokens = batch["impression_tokens"]
        same = jnp.all(tokens[:, None, :] == tokens[None, :, :], axis=2)
        return negative_mask(batch) & ~same
