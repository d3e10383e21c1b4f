# SPDX-License-Identifier: Apache-2.0
"""Contrastive image-text-label loss: every pair that shares a positive label is a positive."""

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
    both_valid,
    matched,
    side,
    taking_part,
)
from medst_jax.losses.pairwise import Pairwise, operand
from medst_jax.losses.shapes import check_pairs, real, similarities, valid_rows, zero_invalid


@PairLoss
def unicl_loss(
    image: jax.Array,
    text: jax.Array,
    scale: ArrayLike,
    image_labels: jax.Array,
    text_labels: jax.Array,
    *,
    mask: jax.Array | None = None,
    negative_mask: jax.Array | Pairwise | None = None,
) -> PairTask:
    """Bidirectional cross-entropy whose positives share a positive label or are the pair itself.

    Args:
      image: [B, E] unit-norm image embeddings.
      text: [B, E] unit-norm text embeddings.
      scale: scalar, the exponential of the learned log-scale.
      image_labels: {0, 1} [B, C], the labels of the study; masked labels are 0.
      text_labels: {0, 1} [B, C], the labels of the drawn sentence or prompt.
      mask: bool [B], false where a row has no image or no text.
      negative_mask: bool [B, B], true where a pair that is no positive may be a negative.

    Returns:
      A float32 scalar; 0 with zero gradient when no row is valid. Labels are targets and
      receive no gradient.

    Raises:
      ValueError: shapes disagree.

    Reference: Yang et al., "Unified Contrastive Learning in Image-Text-Label Space",
    arXiv:2204.03610, equations 2-4; shared-label positives as in the DLILP release.
    """
    if image_labels.shape != text_labels.shape or image_labels.shape[0] != image.shape[0]:
        raise ValueError(
            f"image_labels {image_labels.shape} and text_labels {text_labels.shape} must both "
            f"be [B, C] with B = {image.shape[0]}"
        )
    check_pairs(image, text, mask, negative_mask)
    valid, negatives = valid_rows(image.shape[0], mask), operand(negative_mask)

    def block(shared: Any, rows: Side, columns: Side, pairs: Pairs) -> Block:
        (row_labels, row_ids), (column_labels, column_ids) = rows.facts, columns.facts
        shares = (similarities(row_labels, column_labels) > 0) & both_valid(rows, columns)
        positives = shares | matched(rows, columns)
        allowed = negatives.read(row_ids, column_ids, pairs.facts)
        logits = shared * similarities(rows.values, columns.values)
        return Block(logits, taking_part(rows, columns, positives, allowed), positives)

    # Positive or not is all that a label says here, and takes an eighth of the memory.
    image_facts = (zero_invalid(image_labels, valid) > 0, negatives.rows)
    text_facts = (zero_invalid(text_labels, valid) > 0, negatives.columns)
    return PairTask(
        Contrastive(0.5),
        block,
        real(scale),
        side(zero_invalid(image, valid), image_facts, valid),
        side(zero_invalid(text, valid), text_facts, valid),
        Pairs(None, negatives.pairs),
    )
