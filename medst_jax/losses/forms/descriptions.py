# SPDX-License-Identifier: Apache-2.0
"""The losses over pairs as their blocks: same arguments as the dense losses, same mathematics.

Each function is named after its loss without "_loss", and says for any rows and columns what the
dense loss says for all of them. Tests hold value and gradient against the dense loss.
"""

import dataclasses
from typing import Any

import jax
from jaxtyping import Float, ScalarLike, Shaped

from medst_jax.array_types import Array, Mask
from medst_jax.losses.forms.blockwise import (
    Block,
    BlockwiseLoss,
    Pairs,
    Side,
    candidates,
    matched,
    matrix_parts,
    side,
)
from medst_jax.losses.forms.logistic import SummedLogistic
from medst_jax.losses.forms.online_softmax import BothCrossEntropies
from medst_jax.losses.forms.triage import Triage
from medst_jax.losses.gloria import valid_tokens, word_region_similarity
from medst_jax.losses.pairwise import Pairwise
from medst_jax.losses.shapes import check_matrix, real, similarities, valid_pairs
from medst_jax.losses.soft_target import zero_invalid_pairs
from medst_jax.losses.triage import check_triage, sort_pairs
from medst_jax.losses.unicl import check_labels, positive_labels, share_a_label


def clip(
    image: Float[Array, "B E"],
    text: Float[Array, "B E"],
    scale: ScalarLike,
    *,
    mask: Mask[Array, " B"] | None = None,
    negative_mask: Mask[Array, "B B"] | Pairwise | None = None,
) -> BlockwiseLoss:
    """`clip_loss` in blocks."""
    image, text, valid = valid_pairs(image, text, mask, negative_mask)
    negatives = matrix_parts(negative_mask)

    def block(scale: jax.Array, images: Side, texts: Side, pairs: Pairs) -> Block:
        logits = scale * similarities(images.values, texts.values)
        positives = matched(images, texts)
        allowed = negatives.block(images.constants, texts.constants, pairs.constants)
        return Block(logits, positives, candidates(images, texts, positives, allowed))

    return BlockwiseLoss(
        BothCrossEntropies(0.5),
        block,
        real(scale),
        side(image, negatives.rows, valid),
        side(text, negatives.columns, valid),
        Pairs(None, negatives.pairs),
    )


def siglip(
    image: Float[Array, "B E"],
    text: Float[Array, "B E"],
    scale: ScalarLike,
    bias: ScalarLike,
    *,
    mask: Mask[Array, " B"] | None = None,
    negative_mask: Mask[Array, "B B"] | Pairwise | None = None,
) -> BlockwiseLoss:
    """`siglip_loss` in blocks: those of `clip`, with a bias and another reduction."""
    like_clip = clip(image, text, scale, mask=mask, negative_mask=negative_mask)

    def block(scalars: Any, images: Side, texts: Side, pairs: Pairs) -> Block:
        scale, bias = scalars
        unbiased = like_clip.block(scale, images, texts, pairs)
        return unbiased._replace(logits=unbiased.logits + bias)

    return dataclasses.replace(
        like_clip, reduction=SummedLogistic(), block=block, scalars=(real(scale), real(bias))
    )


def unicl(
    image: Float[Array, "B E"],
    text: Float[Array, "B E"],
    scale: ScalarLike,
    image_labels: Shaped[Array, "B C"],
    text_labels: Shaped[Array, "B C"],
    *,
    mask: Mask[Array, " B"] | None = None,
    negative_mask: Mask[Array, "B B"] | Pairwise | None = None,
) -> BlockwiseLoss:
    """`unicl_loss` in blocks."""
    check_labels(image, image_labels, text_labels)
    image, text, valid = valid_pairs(image, text, mask, negative_mask)
    negatives = matrix_parts(negative_mask)

    def block(scale: jax.Array, images: Side, texts: Side, pairs: Pairs) -> Block:
        (labels, ids), (other_labels, other_ids) = images.constants, texts.constants
        logits = scale * similarities(images.values, texts.values)
        positives = share_a_label(labels, other_labels) | matched(images, texts)
        allowed = negatives.block(ids, other_ids, pairs.constants)
        return Block(logits, positives, candidates(images, texts, positives, allowed))

    # Positive or not is all that a label says here, and takes an eighth of the memory.
    return BlockwiseLoss(
        BothCrossEntropies(0.5),
        block,
        real(scale),
        side(image, (positive_labels(image_labels, valid), negatives.rows), valid),
        side(text, (positive_labels(text_labels, valid), negatives.columns), valid),
        Pairs(None, negatives.pairs),
    )


def soft_target_clip(
    image: Float[Array, "B E"],
    text: Float[Array, "B E"],
    scale: ScalarLike,
    similarity: Float[Array, "B B"] | Pairwise,
    *,
    mask: Mask[Array, " B"] | None = None,
) -> BlockwiseLoss:
    """`soft_target_clip_loss` in blocks."""
    image, text, valid = valid_pairs(image, text, mask)
    check_matrix("similarity", similarity, len(valid))
    alike = matrix_parts(zero_invalid_pairs(similarity, valid))

    def block(scale: jax.Array, images: Side, texts: Side, pairs: Pairs) -> Block:
        (image, row_part), (text, column_part) = images.values, texts.values
        target_logits = real(alike.block(row_part, column_part, pairs.values))
        everything = candidates(images, texts, matched(images, texts), None)
        return Block(scale * similarities(image, text), everything, everything, target_logits)

    return BlockwiseLoss(
        BothCrossEntropies(0.5),
        block,
        real(scale),
        side((image, alike.rows), None, valid),
        side((text, alike.columns), None, valid),
        Pairs(alike.pairs, None),
    )


def triage(
    image: Float[Array, "B E"],
    text: Float[Array, "B E"],
    scale: ScalarLike,
    likeness: Float[Array, "B B"] | Pairwise,
    *,
    high: float,
    low: float,
    image_weight: float = 0.5,
    mask: Mask[Array, " B"] | None = None,
) -> BlockwiseLoss:
    """`triage_loss` in blocks."""
    image, text, valid = valid_pairs(image, text, mask)
    check_triage(likeness, len(valid), high, low)
    alike = matrix_parts(likeness)

    def block(scale: jax.Array, images: Side, texts: Side, pairs: Pairs) -> Block:
        logits = scale * similarities(images.values, texts.values)
        likenesses = real(alike.block(images.constants, texts.constants, pairs.constants))
        both = images.valid[:, None] & texts.valid[None, :]
        positives, negatives = sort_pairs(likenesses, matched(images, texts), both, high, low)
        return Block(logits, positives, positives | negatives)

    return BlockwiseLoss(
        Triage(image_weight),
        block,
        real(scale),
        side(image, alike.rows, valid),
        side(text, alike.columns, valid),
        Pairs(None, alike.pairs),
    )


def gloria_local(
    words: Float[Array, "B W D"],
    patches: Float[Array, "B P D"],
    word_mask: Mask[Array, "B W"],
    *,
    word_temperature: ScalarLike = 4.0,
    pool_temperature: ScalarLike = 5.0,
    scale: ScalarLike = 10.0,
    negative_mask: Mask[Array, "B B"] | Pairwise | None = None,
) -> BlockwiseLoss:
    """`gloria_local_loss` in blocks."""
    words, patches, word_mask, valid = valid_tokens(words, patches, word_mask)
    check_matrix("negative_mask", negative_mask, len(valid))
    negatives = matrix_parts(negative_mask)

    def block(scalars: Any, images: Side, texts: Side, pairs: Pairs) -> Block:
        *temperatures, scale = scalars
        mask, ids = texts.constants
        similarity = word_region_similarity(texts.values, images.values, mask, *temperatures)
        positives = matched(images, texts)
        allowed = negatives.block(images.constants, ids, pairs.constants)
        return Block(scale * similarity, positives, candidates(images, texts, positives, allowed))

    return BlockwiseLoss(
        BothCrossEntropies(1.0),
        block,
        (real(word_temperature), real(pool_temperature), real(scale)),
        side(patches, negatives.rows, valid),
        side(words, (word_mask, negatives.columns), valid),
        Pairs(None, negatives.pairs),
    )
