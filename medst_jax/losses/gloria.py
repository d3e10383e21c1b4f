# SPDX-License-Identifier: Apache-2.0
"""Word-region contrastive loss: each word looks at the image through its own attention (GLoRIA)."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from medst_jax.losses.forms.contrastive import Contrastive
from medst_jax.losses.forms.pairs import (
    Block,
    PairLoss,
    Pairs,
    PairTask,
    Side,
    matched,
    side,
    taking_part,
)
from medst_jax.losses.shapes import norm, product, real, zero_invalid


@PairLoss
def gloria_local_loss(
    words: jax.Array,
    patches: jax.Array,
    word_mask: jax.Array,
    *,
    word_temperature: ArrayLike = 4.0,
    pool_temperature: ArrayLike = 5.0,
    scale: ArrayLike = 10.0,
) -> PairTask:
    """Cross-entropy over images plus that over texts of attention-pooled word-region cosines.

    For text i and image j the inner products of words and regions pass a softmax over the
    words, then, times `word_temperature`, one over the regions; a word's context is the regions'
    mean under it. The pair's similarity is the log of the sum over words of
    exp(pool_temperature * cosine(word, context)), its logit `scale` times that. Summing rather
    than averaging over words favours long texts by the log of their length, as released.

    Args:
      words: [B, W, D] raw word features.
      patches: [B, P, D] raw region features; row j belongs to text j.
      word_mask: bool [B, W], false at padding; a row without any word, or whose image is
        missing and which the caller masks, is neither an anchor nor a negative.
      word_temperature: scalar.
      pool_temperature: scalar.
      scale: scalar.

    Returns:
      A float32 scalar, the sum of two means over valid rows; 0 with zero gradient when no row
      has a word.

    Raises:
      ValueError: shapes disagree.

    Reference: Huang et al., "GLoRIA: A Multimodal Global-Local Representation Learning
    Framework", ICCV 2021, equations 2-6; the softmax over words comes from the release.
    """
    check_local(words, patches, word_mask)
    word_mask = jnp.asarray(word_mask).astype(bool)
    valid = jnp.any(word_mask, axis=1)

    def block(shared: Any, rows: Side, columns: Side, pairs: Pairs) -> Block:
        *temperatures, scale = shared
        pair = matched(rows, columns)
        logits = scale * _similarity(columns.values, rows.values, columns.facts, *temperatures)
        return Block(logits, taking_part(rows, columns, pair, None), pair)

    return PairTask(
        Contrastive(1.0),
        block,
        (real(word_temperature), real(pool_temperature), real(scale)),
        side(zero_invalid(patches, valid), None, valid),
        side(zero_invalid(words, word_mask), word_mask, valid),
        Pairs(None, None),
    )


def check_local(words: jax.Array, patches: jax.Array, word_mask: jax.Array) -> None:
    """Raise a ValueError unless shapes are [B, W, D], [B, P, D] and [B, W]."""
    if not (
        words.ndim == patches.ndim == 3
        and words.shape[::2] == patches.shape[::2]
        and word_mask.shape == words.shape[:2]
    ):
        raise ValueError(
            f"words {words.shape}, patches {patches.shape} and word_mask {word_mask.shape} must "
            "be [B, W, D], [B, P, D] and [B, W] with one B and one D"
        )


def _similarity(
    words: jax.Array,
    patches: jax.Array,
    mask: jax.Array,
    word_temperature: jax.Array,
    pool_temperature: jax.Array,
) -> jax.Array:
    """[r, c] of patches [r, P, D] and words [c, W, D] with mask [c, W]."""
    words, patches = real(words), real(patches)
    # A text without words keeps them all, zero vectors: a softmax over nothing is NaN.
    mask = mask | ~jnp.any(mask, axis=1, keepdims=True)
    scores = product("cwd,rpd->rcwp", words, patches)
    over_words = jax.nn.softmax(scores, axis=2, where=mask[None, :, :, None])
    attention = jax.nn.softmax(word_temperature * over_words, axis=3)
    context = product("rcwp,rpd->rcwd", attention, patches)
    inner = product("rcwd,cwd->rcw", context, words)
    norms = norm(words)[..., 0][None] * norm(context)[..., 0]
    cosines = inner / jnp.maximum(norms, 1e-8)
    return jax.nn.logsumexp(pool_temperature * cosines, axis=2, where=mask[None])
