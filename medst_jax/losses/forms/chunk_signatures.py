# SPDX-License-Identifier: Apache-2.0
"""Losses cut into chunks, with the signature of the dense ones and a last keyword `chunk`."""

import functools
from collections.abc import Callable
from typing import Any

import jax
from jax.typing import ArrayLike

from medst_jax.array_types import Array
from medst_jax.losses.forms.blockwise import BlockwiseLoss
from medst_jax.losses.shapes import real
from medst_jax.losses.token_alignment import (
    TokenArrays,
    check_alignment,
    mean_terms,
    token_alignment_loss,
)

# Rows and columns taken at once unless the caller says: blocks of 4 MiB in float32, large enough
# to keep a matrix unit busy; and for token losses, whose pairs are matrices themselves.
CHUNK, TOKEN_CHUNK = 1024, 4

Terms = tuple[jax.Array, jax.Array]


def in_chunks(
    dense: Callable[..., jax.Array],
    describe: Callable[..., BlockwiseLoss],
    evaluate: Callable[[BlockwiseLoss, int], jax.Array],
    default: int = CHUNK,
) -> Callable[..., jax.Array]:
    """The loss `dense`, whose blocks `describe` gives, as `evaluate(blocks, chunk)` computes it."""

    @functools.wraps(dense)
    def chunked(*args: Any, chunk: int | None = None, **kwargs: Any) -> jax.Array:
        return evaluate(describe(*args, **kwargs), default if chunk is None else chunk)

    return chunked


def alignment_in_chunks(
    evaluate: Callable[[TokenArrays, jax.Array, int], Terms],
) -> Callable[..., Terms]:
    """`token_alignment_loss` from terms [B] that `evaluate(arrays, temperature, chunk)` gives."""

    @functools.wraps(token_alignment_loss)
    def chunked(
        words: Array,
        patches: Array,
        word_mask: Array,
        patch_mask: Array,
        word_weights: Array,
        patch_weights: Array,
        *,
        temperature: ArrayLike = 0.1,
        negative_mask: Array | None = None,
        chunk: int | None = None,
    ) -> Terms:
        arrays = (
            words,
            patches,
            word_mask,
            patch_mask,
            word_weights,
            patch_weights,
            negative_mask,
        )
        check_alignment(*arrays)
        terms = evaluate(arrays, real(temperature), TOKEN_CHUNK if chunk is None else chunk)
        return mean_terms(*terms, word_mask, patch_mask)

    return chunked
