# SPDX-License-Identifier: Apache-2.0
"""Targets of texts that may be of one concept: KAD's knowledge stage."""

import jax.numpy as jnp
from jaxtyping import Int

from medst_jax.array_types import Array
from medst_jax.losses.pairwise import Pairwise

_NEVER = -1e9  # its exponential is exactly 0, and it is finite where rows are masked


def concept_similarity(concept: Int[Array, " B"]) -> Pairwise:
    """Logarithms of targets: texts of one concept share their row equally, others get nothing.

    For `soft_target_clip_loss`, whose targets are the softmax of rows and of columns: each row of
    "the pair itself, and pairs of the same concept" over its sum. The release (KAD, Zhang et al.,
    Nature Communications 2023, arXiv:2302.14042) divides columns by their Euclidean norm, so that
    the targets of two equal concepts sum to 1.41.

    Args:
      concept: int [B], equal numbers: same concept; -1 for none.

    >>> import jax, jax.numpy as jnp
    >>> jax.nn.softmax(concept_similarity(jnp.array([4, 4, -1, -1])).matrix()).tolist()[:2]
    [[0.5, 0.5, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0]]
    """
    concept = jnp.asarray(concept)
    rows = (concept, jnp.arange(len(concept)))
    return Pairwise(rows, rows, _shared)


def _shared(rows: tuple[Array, Array], columns: tuple[Array, Array]) -> Array:
    (concept, number), (other_concept, other_number) = rows, columns
    known = concept[:, None] >= 0
    same = (concept[:, None] == other_concept[None, :]) & known
    return jnp.where(same | (number[:, None] == other_number[None, :]), 0.0, _NEVER)
