# SPDX-License-Identifier: Apache-2.0
"""Ranking loss whose margin grows with the difference in severity."""

from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int, Real

from medst_jax.array_types import Array, Mask
from medst_jax.losses.shapes import masked_mean, norm, real, unit, valid_pairs

Similarity = Literal["dot", "cosine", "l2"]


def report_ranking_loss(
    image: Float[Array, "B E"],
    text: Float[Array, "B E"],
    severity: Real[Array, " B"],
    report: Int[Array, " B"],
    *,
    similarity: Similarity = "dot",
    mask: Mask[Array, " B"] | None = None,
) -> tuple[Float[jax.Array, ""], Float[jax.Array, ""]]:
    """Hinge losses by which a matched pair outranks a pair with its neighbour in the batch.

    The impostor of row i is the next valid row, the first after the last. The margin is 0 for
    one and the same report, 0.5 where a severity is unknown, else max(0.5, difference in
    severity).

    Args:
      image: [B, E] image embeddings, in an order that no layout changes (that of `example`).
      text: [B, E] text embeddings.
      severity: [B], -1 unknown.
      report: int [B], equal numbers mean the same report.
      similarity: "dot", "cosine", or "l2", minus the Euclidean distance.
      mask: bool [B], false where a row has no image or no text.

    Returns:
      (image term, text term), float32 scalars: the impostor's image against the text, and its
      text against the image; means over valid rows, 0 with zero gradient when there is none.

    Raises:
      ValueError: shapes disagree, or an unknown similarity.

    Reference: Chauhan et al., "Joint Modeling of Chest Radiographs and Radiology Reports for
    Pulmonary Edema Assessment", arXiv:2008.09884, equation 1.
    """
    image, text, valid = valid_pairs(image, text, mask)
    rows = len(valid)
    if severity.shape != (rows,) or report.shape != (rows,):
        raise ValueError(
            f"severity {severity.shape} and report {report.shape} must be [B] = ({rows},)"
        )
    image, text = real(image), real(text)
    severity = jax.lax.stop_gradient(real(severity))
    other, report = _next_valid(valid), jnp.asarray(report)
    gap = jnp.abs(severity - severity[other])
    unknown = (severity < 0) | (severity[other] < 0)
    margin = jnp.where(unknown, 0.5, jnp.maximum(gap, 0.5))
    margin = jnp.where(report == report[other], 0.0, margin)
    own = _similarity(image, text, similarity)
    image_term = jax.nn.relu(_similarity(image[other], text, similarity) - own + margin)
    text_term = jax.nn.relu(_similarity(image, text[other], similarity) - own + margin)
    return masked_mean(image_term, valid), masked_mean(text_term, valid)


def _next_valid(valid: jax.Array) -> jax.Array:
    """Index [B] of the next valid row, cyclically; of a row alone, the row itself."""
    rows = len(valid)
    twice = jnp.where(jnp.tile(valid, 2), jnp.arange(2 * rows), 2 * rows - 1)
    following = jax.lax.cummin(twice, axis=0, reverse=True)
    return following[1 : rows + 1] % rows


def _similarity(image: jax.Array, text: jax.Array, kind: Similarity) -> jax.Array:
    if kind == "dot":
        return jnp.sum(image * text, axis=1)
    if kind == "cosine":
        return jnp.sum(unit(image) * unit(text), axis=1)
    if kind == "l2":
        return -norm(image - text)[:, 0]
    raise ValueError(f"similarity is {kind!r}; it must be 'dot', 'cosine' or 'l2'")
