# SPDX-License-Identifier: Apache-2.0
"""Residual blocks of equal shapes in one loop, so that a compiler sees one of them."""

from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.models.placement import by_example
from medst_jax.models.resnet_block import BasicBlock, BottleneckBlock, apply_block

Repeat = Literal["unroll", "scan"]
Blocks = Sequence[BasicBlock | BottleneckBlock]


def unroll_blocks(blocks: Blocks, x: jax.Array, *, train: bool, remat: str) -> jax.Array:
    """Run blocks one after the other, each compiled by itself."""
    for block in blocks:
        x = apply_block(block, x, train=train, remat=remat)
    return x


def scan_blocks(blocks: Blocks, x: jax.Array, *, train: bool, remat: str) -> jax.Array:
    """Run blocks of equal shapes by `jax.lax.scan`.

    Each block keeps its own parameters, which are stacked here: files and checkpoints do not
    know of the loop.

    Args:
      blocks: equal in everything but the values of parameters and statistics.
      x: [B, h, w, D], which a block maps to the same shape.
      train: normalise by the batch and update each block's running statistics.
      remat: "full" recomputes each block in the backward pass.
    """
    if not blocks:
        return x
    graphdef = nnx.graphdef(blocks[0])
    states = [nnx.state(block) for block in blocks]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)

    def body(x: jax.Array, state: Any) -> tuple[jax.Array, Any]:
        copy = nnx.merge(graphdef, state, copy=True)
        y = by_example(copy(x, train=train))
        return y, nnx.state(copy, nnx.BatchStat)

    # The loop already keeps XLA from merging the recomputation with the forward pass.
    run = body if remat == "none" else jax.checkpoint(body, prevent_cse=False)
    x, statistics = jax.lax.scan(run, by_example(x), stacked)
    if train:
        for number, block in enumerate(blocks):
            nnx.update(block, jax.tree.map(lambda leaf, k=number: leaf[k], statistics))
    return x


REPEATS = {"unroll": unroll_blocks, "scan": scan_blocks}
