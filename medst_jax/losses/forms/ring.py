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

from medst_jax.losses import clip, gloria, siglip, soft_target, unicl
from medst_jax.losses.forms import chunked, stream
from medst_jax.losses.forms.blocks import Arrays
from medst_jax.losses.forms.chunk_signatures import (
    TOKEN_CHUNK,
    Terms,
    alignment_in_chunks,
    in_chunks,
)
from medst_jax.losses.forms.fused import fused_loss
from medst_jax.losses.forms.pairs import PairTask
from medst_jax.losses.token_alignment import Alignment

BATCH_AXES = ("data", "fsdp")


def ambient(rows: int) -> stream.Ring:
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
    return stream.Ring(axes, shards)


def evaluate(task: PairTask, chunk: int) -> jax.Array:
    """The loss of `task` around the ambient mesh, in blocks of at most `chunk` inside a hop."""
    ring, dtype = ambient(len(task.rows.valid)), stream.precision(task)
    if ring.size == 1:
        return chunked.evaluate(task, chunk)
    cut, whole = P(ring.axes), P()
    spec: Any = cut
    arrays = Arrays(whole, spec, spec, spec)
    # Neither pass is ever differentiated, so replication need not be tracked for it.
    measure = jax.shard_map(
        lambda arrays: stream.measure(task, arrays, chunk, ring, dtype),
        in_specs=(arrays,),
        out_specs=(cut, cut),
        check_vma=False,
    )
    slope = jax.shard_map(
        lambda arrays, stats, count: stream.slope(task, arrays, stats, count, chunk, ring, dtype),
        in_specs=(arrays, (cut, cut), whole),
        out_specs=(whole, cut, cut, cut),
        check_vma=False,
    )
    return fused_loss(task, measure, slope)


def evaluate_terms(arrays: Alignment, temperature: jax.Array, chunk: int) -> Terms:
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


clip_loss = in_chunks(clip.clip_loss, evaluate)
siglip_loss = in_chunks(siglip.siglip_loss, evaluate)
unicl_loss = in_chunks(unicl.unicl_loss, evaluate)
soft_target_clip_loss = in_chunks(soft_target.soft_target_clip_loss, evaluate)
gloria_local_loss = in_chunks(gloria.gloria_local_loss, evaluate, TOKEN_CHUNK)
token_alignment_loss = alignment_in_chunks(evaluate_terms)
