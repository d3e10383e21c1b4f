# SPDX-License-Identifier: Apache-2.0
"""Contrastive loss towards soft targets made from a similarity of labels (MedCLIP)."""

from typing import Any

import jax
import jax.numpy as jnp
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
from medst_jax.losses.shapes import (
    check_matrix,
    check_pairs,
    real,
    similarities,
    valid_rows,
    zero_invalid,
)


@PairLoss
def soft_target_clip_loss(
    image: jax.Array,
    text: jax.Array,
    scale: ArrayLike,
    similarity: jax.Array | Pairwise,
    *,
    mask: jax.Array | None = None,
) -> PairTask:
    """Bidirectional cross-entropy to softmax targets, half the sum, means over valid rows.

    Args:
      image: [B, E] unit-norm image embeddings.
      text: [B, E] unit-norm text embeddings.
      scale: scalar, the exponential of the learned log-scale.
      similarity: [B, B], of image i and text j; an image's targets are the softmax of its row, a
        text's that of its column. Differentiable; stop its gradient where it is a constant. The
        release takes raw dot products of label vectors, the paper's text cosines.
      mask: bool [B], false where a row has no image or no text; such a row is neither an anchor
        nor a target.

    Returns:
      A float32 scalar; 0 with zero gradient when no row is valid.

    Raises:
      ValueError: shapes disagree.

    Reference: Wang et al., "MedCLIP: Contrastive Learning from Unpaired Medical Images and
    Text", arXiv:2210.10163, equations 3-6.
    """
    check_pairs(image, text, mask, None)
    check_matrix("similarity", similarity, image.shape[0])
    valid = valid_rows(image.shape[0], mask)
    if not isinstance(similarity, Pairwise):
        similarity = jnp.where(valid[:, None] & valid[None, :], similarity, 0.0)
    preferences = operand(similarity)

    def block(shared: Any, rows: Side, columns: Side, pairs: Pairs) -> Block:
        (image, row_part), (text, column_part) = rows.values, columns.values
        preference = preferences.read(row_part, column_part, pairs.values)
        assert preference is not None
        everything = taking_part(rows, columns, matched(rows, columns), None)
        return Block(shared * similarities(image, text), everything, everything, real(preference))

    def clean(part: Any) -> Any:
        return jax.tree.map(lambda x: zero_invalid(x, valid), part)

    return PairTask(
        Contrastive(0.5),
        block,
        real(scale),
        side((zero_invalid(image, valid), clean(preferences.rows)), None, valid),
        side((zero_invalid(text, valid), clean(preferences.columns)), None, valid),
        Pairs(preferences.pairs, None),
    )
