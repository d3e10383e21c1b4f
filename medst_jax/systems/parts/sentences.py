# SPDX-License-Identifier: Apache-2.0
"""A report's tokens cut into its sentences, on the device and at fixed shape."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Sentences(NamedTuple):
    """tokens int32 and token_mask bool [B, M, K], first token [CLS]; mask bool [B, M]."""

    tokens: jax.Array
    token_mask: jax.Array
    mask: jax.Array


def cut_sentences(
    tokens: jax.Array, sentence_index: jax.Array, sentences: int, length: int
) -> Sentences:
    """Cut reports into sentences, each on its own behind a [CLS].

    Args:
      tokens: int32 [B, L], the first being [CLS].
      sentence_index: int32 [B, L], -1 at specials and padding, else not decreasing.
      sentences: M, the first so many are kept.
      length: K, tokens of a sentence with its [CLS]; longer ones are cut.

    Returns:
      The sentences; absent ones hold [CLS] alone and padding.
    """
    batch, total = tokens.shape
    # The place of a token in its sentence: its place in the row less that of the first one.
    number = jnp.arange(sentences)
    is_of = sentence_index[:, None, :] == number[:, None]  # [B, M, L]
    start = jnp.argmax(is_of, axis=2)
    offset = jnp.arange(length - 1)
    place = jnp.minimum(start[..., None] + offset, total - 1)  # [B, M, K - 1]
    owner = jnp.take_along_axis(sentence_index[:, None], place, axis=2)
    inside = (owner == number[:, None]) & (start[..., None] + offset < total)
    words = jnp.where(inside, jnp.take_along_axis(tokens[:, None], place, axis=2), 0)
    first = jnp.broadcast_to(tokens[:, :1, None], (batch, sentences, 1))
    mask = jnp.concatenate([jnp.ones_like(first, bool), inside], axis=2)
    return Sentences(jnp.concatenate([first, words], axis=2), mask, jnp.any(is_of, axis=2))


def sentence_maximum(
    states: jax.Array, sentence_index: jax.Array, sentences: int
) -> tuple[jax.Array, jax.Array]:
    """Sentences as the maximum over their tokens.

    Args:
      states: [B, L, D].
      sentence_index: int32 [B, L], -1 at specials and padding.
      sentences: M, the first so many are kept.

    Returns:
      [B, M, D], zeros where there is no sentence; and bool [B, M], where there is one.
    """
    kept = (sentence_index >= 0) & (sentence_index < sentences)
    place = jnp.where(kept, sentence_index, sentences)  # one more, for what is left out

    def one(states: jax.Array, place: jax.Array) -> jax.Array:
        return jax.ops.segment_max(states, place, sentences + 1)[:sentences]

    there = jnp.any(sentence_index[:, None, :] == jnp.arange(sentences)[:, None], axis=2)
    return jnp.where(there[..., None], jax.vmap(one)(states, place), 0), there
