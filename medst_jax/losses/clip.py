# SPDX-License-Identifier: Apache-2.0
"""Contrastive image-text loss with the matched pair as the only positive (CLIP)."""

from typing import Any

import jax
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
from medst_jax.losses.pairwise import Pairwise, operand
from medst_jax.losses.shapes import check_pairs, real, similarities, valid_rows, zero_invalid


@PairLoss
def clip_loss(
    image: jax.Array,
    text: jax.Array,
    scale: ArrayLike,
    *,
    mask: jax.Array | None = None,
    negative_mask: jax.Array | Pairwise | None = None,
) -> PairTask:
    """Half the sum of image-to-text and text-to-image cross-entropy, means over valid rows.

    Args:
      image: [B, E] unit-norm image embeddings.
      text: [B, E] unit-norm text embeddings; row i belongs to image i.
      scale: scalar, the exponential of the learned log-scale (an inverse temperature).
      mask: bool [B], false where a row has no image or no text; such a row is neither an
        anchor nor a negative.
      negative_mask: bool [B, B], true where image i and text j may be negatives of each other;
        the diagonal is always the positive.

    Returns:
      A float32 scalar; 0 with zero gradient when no row is valid.

    Raises:
      ValueError: shapes disagree.

    Reference: Radford et al., "Learning Transferable Visual Models From Natural Language
    Supervision", arXiv:2103.00020, figure 3; means and the half as in the DLILP release.

    >>> import jax.numpy as jnp
    >>> round(float(clip_loss(jnp.eye(2), jnp.eye(2), 1.0)), 4)
    0.3133
    """
    check_pairs(image, text, mask, negative_mask)
    valid, negatives = valid_rows(image.shape[0], mask), operand(negative_mask)

    def block(shared: Any, rows: Side, columns: Side, pairs: Pairs) -> Block:
        pair = matched(rows, columns)
        allowed = negatives.read(rows.facts, columns.facts, pairs.facts)
        logits = shared * similarities(rows.values, columns.values)
        return Block(logits, taking_part(rows, columns, pair, allowed), pair)

    return PairTask(
        Contrastive(0.5),
        block,
        real(scale),
        side(zero_invalid(image, valid), negatives.rows, valid),
        side(zero_invalid(text, valid), negatives.columns, valid),
        Pairs(None, negatives.pairs),
    )
