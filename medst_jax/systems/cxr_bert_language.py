# SPDX-License-Identifier: Apache-2.0
"""CXR-BERT, phases I and II: masked language modelling on general and on clinical text.

Reference: Boecking et al., arXiv:2204.09817, section 3.1; phase III is `cxr_bert`.
"""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.data.batch import example_keys
from medst_jax.data.images.preprocess import Preprocess
from medst_jax.models.heads.contrastive import unit_norm
from medst_jax.models.heads.masked_language import MaskedLanguageHead
from medst_jax.models.heads.projection_heads import ClassTokenHead
from medst_jax.options import options_of
from medst_jax.systems.parts.masked_words import (
    MaskOptions,
    gather_predicted,
    language_loss,
    mask_words,
    predicted_slots,
)
from medst_jax.systems.parts.towers import encoder_defaults, text_encoder
from medst_jax.systems.parts.training_images import purpose_keys
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Embedding, Metrics, Rngs, System


@dataclasses.dataclass(frozen=True)
class TextOptions:
    """A text encoder and its head; every value is plain JSON.

    text: {"name": ..., overrides of the encoder's options}.
    joint: width E of the joint space.
    mask: which words are hidden.
    preprocess: of images, which a text encoder never sees; kept with its checkpoint so that
      image-text systems that start from it are told.
    """

    text: dict[str, Any] = dataclasses.field(metadata=options_of(encoder_defaults))
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
