# SPDX-License-Identifier: Apache-2.0
"""Scores of every text with every image, some texts at a time, in memory linear in the batch."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.parallel.placement import current_placement

Scorer = TypeVar("Scorer", bound=nnx.Module)


def scores_in_chunks(
    score: Callable[[Scorer, Any, jax.Array], jax.Array],
    scorer: Scorer,
    images: Any,
    texts: jax.Array,
    chunk: int,
) -> jax.Array:
    """`score` of all texts, a chunk of them at a time; the backward pass recomputes each chunk.

    Every device scores all texts with its own images. Either side may hold the other's place.

    Args:
      score: (scorer, images, [r, ...] of the texts) to scores [r, B]; of these alone, without
        other arrays inside.
      scorer: a module that does not change when it scores.
      images: a pytree of arrays [B, ...], placed already.
      texts: [R, ...].
      chunk: texts at a time.

    Returns:
      [R, B].
    """
    graph, state = nnx.split(scorer)

    @jax.checkpoint
    def of_one_chunk(state: Any, images: Any, block: jax.Array) -> jax.Array:
        return score(nnx.merge(graph, state), images, block)

    count = len(texts)
    size = max(1, min(chunk, count))
    padded = jnp.pad(texts, [(0, -count % size), *[(0, 0)] * (texts.ndim - 1)])
    # The texts are gathered here, at once: cut along the loop they would be gathered whole for
    # each of its steps.
    blocks = padded.reshape(-1, size, *texts.shape[1:])
    blocks = current_placement().constrain(blocks, (None,) * blocks.ndim)
    scores = jax.lax.map(lambda block: of_one_chunk(state, images, block), blocks)
    return scores.reshape(-1, scores.shape[-1])[:count]
