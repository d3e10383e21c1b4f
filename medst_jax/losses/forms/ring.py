# SPDX-License-Identifier: Apache-2.0
"""Losses over the devices of a mesh: images stay, texts go around, no device sees all of either.

The mesh is the ambient one (`jax.set_mesh`), the batch is cut over its axes `data` and `fsdp`.
Without a mesh, or with one batch shard, these are the chunked forms; blocks inside each hop are
cut into chunks in the same way. Memory per device depends on its own rows alone, if matrices over
all pairs are given as `Pairwise`.
"""

import math
from typing import Any

import jax
from jax.sharding import PartitionSpec as P

from medst_jax.losses import clip, gloria, siglip, soft_target, triage, unicl
from medst_jax.losses.forms import chunked, descriptions
from medst_jax.losses.forms.blocks import Arrays
from medst_jax.losses.forms.blockwise import BlockwiseLoss
from medst_jax.losses.forms.chunk_signatures import (
    TOKEN_CHUNK,
    Terms,
    alignment_in_chunks,
    in_chunks,
)
from medst_jax.losses.forms.custom_gradient import loss_with_gradient
from medst_jax.losses.forms.passes import Ring, TwoPasses
from medst_jax.losses.token_alignment import TokenArrays

BATCH_AXES = ("data", "fsdp")


def ambient(rows: int) -> Ring:
    """The ring of the ambient mesh for a batch of `rows`.

    Raises:
      ValueError: the mesh's batch shards do not divide the batch; names both numbers.
    """
    sizes = dict(jax.sharding.get_abstract_mesh().shape)
    axes = tuple(axis for axis in BATCH_AXES if sizes.get(axis, 1) > 1)
    shards = math.prod(sizes[axis] for axis in axes)
    if rows % shards:
        raise ValueError(
            f"a ring loss got a batch of {rows} rows, not divisible by the {shards} batch shards "
            f"of the mesh ({' x '.join(f'{axis}={sizes[axis]}' for axis in axes)}); change the "
            "batch size or the mesh"
        )
    return Ring(axes, shards)


def evaluate(loss: BlockwiseLoss, chunk: int) -> jax.Array:
    """The value of `loss` around the ambient mesh, in blocks of at most `chunk` inside a hop."""
    ring = ambient(len(loss.rows.valid))
    if ring.size == 1:
        return chunked.evaluate(loss, chunk)
    passes, cut, whole = TwoPasses(loss, chunk, ring), P(ring.axes), P()
    spec: Any = cut
    arrays = Arrays(whole, spec, spec, spec)
    # Neither pass is ever differentiated, so replication need not be tracked for it.
    statistics_pass = jax.shard_map(
        passes.statistics, in_specs=(arrays,), out_specs=(cut, cut), check_vma=False
    )
    gradient_pass = jax.shard_map(
        passes.gradients,
        in_specs=(arrays, (cut, cut), whole),
        out_specs=(whole, cut, cut, cut),
        check_vma=False,
    )
    return loss_with_gradient(loss, statistics_pass, gradient_pass)


def evaluate_terms(arrays: TokenArrays, temperature: jax.Array, chunk: int) -> Terms:
    """Alignment terms [B], each device's rows in chunks; nothing has to travel."""
    ring = ambient(len(arrays[0]))
    if ring.size == 1:
        return chunked.evaluate_terms(arrays, temperature, chunk)
    cut = P(ring.axes)
    return jax.shard_map(
        lambda arrays, temperature: chunked.evaluate_terms(arrays, temperature, chunk),
        in_specs=(cut, P()),
        out_specs=(cut, cut),
    )(arrays, temperature)


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
