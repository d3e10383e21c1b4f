# SPDX-License-Identifier: Apache-2.0
"""Word pieces to words, on the device: a word is the sum of its pieces."""

import jax
import jax.numpy as jnp

from medst_jax.array_types import Array


def word_numbers(continues: Array, token_mask: Array) -> jax.Array:
    """Which word each token belongs to: int32 [B, L], counted from 0; -1 on padding.

    Args:
      continues: bool [B, L], true where a token continues the word of the one before it, such
        as a piece that begins with ##.
      token_mask: bool [B, L], false on padding.

    >>> word_numbers(jnp.array([[False, False, True, False]]), jnp.array([[True] * 3 + [False]]))
    Array([[ 0,  1,  1, -1]], dtype=int32)
    """
    starts = token_mask & ~continues
    # A first token that claims to continue a word has none before it.
    numbers = jnp.maximum(jnp.cumsum(starts, axis=1, dtype=jnp.int32) - 1, 0)
    return jnp.where(token_mask, numbers, -1)


def aggregate_words(values: jax.Array, numbers: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Sum what belongs to one word.

    The released GLoRIA, MGCA and Med-ST do this in Python, token by token; the latter two lose
    the last word of a report that fills all tokens, which is kept here. [CLS] is word 0, [SEP]
    the last word.

    Args:
      values: [B, L, ...] of tokens, such as hidden states [B, L, D] or attention [B, L].
      numbers: int32 [B, L] of `word_numbers`.

    Returns:
      [B, L, ...] of words, zero behind the last one, in the dtype of `values`; and the mask
      bool [B, L] of words.
    """
    length = numbers.shape[1]
    # A product with 0 and 1 instead of a scatter: accelerators run it as one batched product.
    member = numbers[:, None, :] == jnp.arange(length)[None, :, None]  # [B, word, token]
    summed = jnp.einsum("bwl,bl...->bw...", member.astype(values.dtype), values)
    return summed, member.any(-1)


def distinct_words(tokens: jax.Array, numbers: jax.Array) -> jax.Array:
    """Bool [B, L, L]: which words of a text differ; a word occurs several times in most reports.

    Args:
      tokens: int32 [B, L], ids of the pieces.
      numbers: int32 [B, L], the word of each; -1 for none.
    """
    member = numbers[:, None, :] == jnp.arange(numbers.shape[1])[None, :, None]  # [B, word, token]
    first = jnp.argmax(member, axis=-1)
    place = jnp.arange(numbers.shape[1]) - jnp.take_along_axis(first, jnp.maximum(numbers, 0), 1)
    # Words are compared by 32 bits of their pieces in order: by chance two differing words of a
    # million pairs of texts share them, and then one negative is missing.
    bits = _mixed(_mixed(tokens.astype(jnp.uint32)) + place.astype(jnp.uint32))
    spelling = jnp.sum(jnp.where(member, bits[:, None, :], jnp.uint32(0)), axis=-1)
    return spelling[:, :, None] != spelling[:, None, :]


def _mixed(bits: jax.Array) -> jax.Array:
    """Spread every bit of uint32 numbers over all (the finaliser of MurmurHash3)."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        bits = (bits ^ (bits >> shift)) * jnp.uint32(factor)
    return bits ^ (bits >> 16)
