# SPDX-License-Identifier: Apache-2.0
"""Masked language modelling: hiding whole words and predicting their tokens."""

import dataclasses
import math
from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.losses.masked_language import masked_language_loss
from medst_jax.models.heads.masked_language import MaskedLanguageHead
from medst_jax.options import before
from medst_jax.systems.system import Metrics

_SPECIAL = 5  # ids below are [PAD], [UNK], [CLS], [SEP], [MASK]


@dataclasses.dataclass(frozen=True)
class MaskOptions:
    """rate: of the words that are hidden. token: id of [MASK].

    show: what stands in place of hidden tokens: "mixed" is BERT's, 80% [MASK], 10% a random
    token and 10% themselves; "mask" is [MASK] always (MRM).
    """

    rate: float = 0.15
    token: int = 4
    show: Literal["mixed", "mask"] = dataclasses.field(default="mixed", metadata=before("mixed"))


def mask_words(
    tokens: jax.Array,
    word_index: jax.Array,
    keys: jax.Array | None,
    vocabulary: int,
    options: MaskOptions,
) -> tuple[jax.Array, jax.Array]:
    """Hide whole words, other ones at every position of the stream.

    Args:
      tokens: int32 [B, L].
      word_index: int32 [B, L], which word a token is part of, -1 for none.
      keys: [B] typed keys, one per example; None hides nothing.
      vocabulary: number of ids.
      options: rate and [MASK].

    Returns:
      tokens as shown, int32 [B, L]; and bool [B, L], which are to be predicted: at least one
      word of every text.

    Reference: Devlin et al., arXiv:1810.04805, section 3.1; whole words as its later release.
    """
    if keys is None:
        return tokens, jnp.zeros(tokens.shape, bool)
    length = tokens.shape[1]
    # Per example: whether a word is hidden, what a hidden token shows, a random token. All are drawn,
    # needed or not, so that an example's numbers depend on its key alone.
    uniform = jax.vmap(lambda key: jax.random.uniform(key, (3, length)))(keys)
    exists = jnp.arange(length)[None, :] <= jnp.max(word_index, axis=1, keepdims=True)
    word = jnp.where(exists, uniform[:, 0], jnp.inf)
    hidden = exists & ((word < options.rate) | (word == jnp.min(word, axis=1, keepdims=True)))
    chosen = jnp.take_along_axis(hidden, jnp.maximum(word_index, 0), axis=1) & (word_index >= 0)
    random = _SPECIAL + jnp.floor(uniform[:, 2] * (vocabulary - _SPECIAL)).astype(tokens.dtype)
    if options.show == "mask":
        return jnp.where(chosen, options.token, tokens), chosen
    shown = jnp.where(
        uniform[:, 1] < 0.8, options.token, jnp.where(uniform[:, 1] < 0.9, random, tokens)
    )
    return jnp.where(chosen, shown, tokens), chosen


def predicted_slots(length: int, rate: float) -> int:
    """Places of a text of `length` tokens kept for prediction: half more than expected.

    The logits of all places would be the largest array of a step. What does not fit is hidden
    but not predicted.
    """
    return min(length, math.ceil(1.5 * rate * length) + 1)


def gather_predicted(
    states: jax.Array, tokens: jax.Array, chosen: jax.Array, slots: int
) -> dict[str, jax.Array]:
    """The states of hidden tokens: [B, K, D], their true ids [B, K] and which are meant [B, K]."""
    predicted, place = jax.lax.top_k(chosen.astype(jnp.int32), slots)
    return {
        "hidden": jnp.take_along_axis(states, place[..., None], axis=1),
        "hidden_tokens": jnp.take_along_axis(tokens, place, axis=1),
        "hidden_mask": predicted.astype(bool),
    }


def language_loss(
    head: MaskedLanguageHead, word_embeddings: nnx.Param, encoded: dict[str, jax.Array]
) -> tuple[jax.Array, Metrics]:
    """Loss of what `gather_predicted` gave, and the share of tokens that it predicts."""
    logits = head(encoded["hidden"], word_embeddings[...])
    tokens, mask = encoded["hidden_tokens"], encoded["hidden_mask"]
    loss = masked_language_loss(logits, tokens, mask)
    correct = jnp.sum(mask & (jnp.argmax(logits, axis=-1) == tokens))
    return loss, {"language_loss": (loss, 1.0), "word_accuracy": (correct, jnp.sum(mask))}
