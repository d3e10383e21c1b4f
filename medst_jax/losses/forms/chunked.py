# SPDX-License-Identifier: Apache-2.0
"""Losses in chunks, one in memory at a time: the dense value and gradient, whatever the batch.

Signatures are those of the dense losses with a last keyword `chunk`: of a loss over pairs, how
many rows and columns make a block; of `token_alignment_loss`, how many rows are taken at once.
"""

from typing import Any

import jax

from medst_jax.losses import clip, gloria, siglip, soft_target, token_alignment, unicl
from medst_jax.losses.forms import stream
from medst_jax.losses.forms.chunk_signatures import (
    TOKEN_CHUNK,
    Terms,
    alignment_in_chunks,
    in_chunks,
)
from medst_jax.losses.forms.fused import fused_loss
from medst_jax.losses.forms.pairs import PairTask
from medst_jax.losses.token_alignment import Alignment


def evaluate(task: PairTask, chunk: int) -> jax.Array:
    """The loss of `task` in blocks of at most `chunk` rows and columns."""
    here, dtype = stream.Ring(), stream.precision(task)
    return fused_loss(
        task,
        lambda arrays: stream.measure(task, arrays, chunk, here, dtype),
        lambda arrays, stats, count: stream.slope(task, arrays, stats, count, chunk, here, dtype),
    )


def evaluate_terms(arrays: Alignment, temperature: jax.Array, chunk: int) -> Terms:
    """Alignment terms [B] of `chunk` rows at a time, computed anew in the backward pass."""

    @jax.checkpoint
    def one(row: Alignment) -> Any:
        single: Any = jax.tree.map(lambda x: x[None], row)
        terms = token_alignment.alignment_terms(single, temperature)
        return jax.tree.map(lambda term: term[0], terms)

    return jax.lax.map(one, arrays, batch_size=min(chunk, len(arrays[0])))


clip_loss = in_chunks(clip.clip_loss, evaluate)
siglip_loss = in_chunks(siglip.siglip_loss, evaluate)
unicl_loss = in_chunks(unicl.unicl_loss, evaluate)
soft_target_clip_loss = in_chunks(soft_target.soft_target_clip_loss, evaluate)
gloria_local_loss = in_chunks(gloria.gloria_local_loss, evaluate, TOKEN_CHUNK)
token_alignment_loss = alignment_in_chunks(evaluate_terms)
