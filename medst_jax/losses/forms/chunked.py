# SPDX-License-Identifier: Apache-2.0
"""Losses in chunks, one in memory at a time: the dense value and gradient, whatever the batch.

Signatures are those of the dense losses with a last keyword `chunk`: of a loss over pairs, how
many rows and columns make a block; of `token_alignment_loss`, how many rows are taken at once.
"""

from typing import Any

import jax

from medst_jax.losses import clip, gloria, siglip, soft_target, triage, unicl
from medst_jax.losses.forms import descriptions
from medst_jax.losses.forms.blockwise import BlockwiseLoss
from medst_jax.losses.forms.chunk_signatures import (
    TOKEN_CHUNK,
    Terms,
    alignment_in_chunks,
    in_chunks,
)
from medst_jax.losses.forms.custom_gradient import loss_with_gradient
from medst_jax.losses.forms.passes import Ring, TwoPasses
from medst_jax.losses.token_alignment import TokenArrays, alignment_terms


def evaluate(loss: BlockwiseLoss, chunk: int) -> jax.Array:
    """The value of `loss` in blocks of at most `chunk` rows and columns."""
    passes = TwoPasses(loss, chunk, Ring())
    return loss_with_gradient(loss, passes.statistics, passes.gradients)


def evaluate_terms(arrays: TokenArrays, temperature: jax.Array, chunk: int) -> Terms:
    """Alignment terms [B] of `chunk` rows at a time, computed again in the backward pass."""

    @jax.checkpoint
    def one(row: TokenArrays) -> Any:
        single: Any = jax.tree.map(lambda x: x[None], row)
        return jax.tree.map(lambda term: term[0], alignment_terms(*single, temperature=temperature))

    return jax.lax.map(one, arrays, batch_size=min(chunk, len(arrays[0])))


clip_loss = in_chunks(clip.clip_loss, descriptions.clip, evaluate)
siglip_loss = in_chunks(siglip.siglip_loss, descriptions.siglip, evaluate)
unicl_loss = in_chunks(unicl.unicl_loss, descriptions.unicl, evaluate)
soft_target_clip_loss = in_chunks(
    soft_target.soft_target_clip_loss, descriptions.soft_target_clip, evaluate
)
triage_loss = in_chunks(triage.triage_loss, descriptions.triage, evaluate)
gloria_local_loss = in_chunks(
    gloria.gloria_local_loss, descriptions.gloria_local, evaluate, TOKEN_CHUNK
)
token_alignment_loss = alignment_in_chunks(evaluate_terms)
