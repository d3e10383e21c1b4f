# SPDX-License-Identifier: Apache-2.0
"""Cross-modal prototype assignment: each modality predicts the other's cluster (MGCA)."""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, ScalarLike

from medst_jax.array_types import Array, Mask
from medst_jax.losses.shapes import masked_mean, real, similarities, unit, valid_pairs


def prototype_loss(
    image: Float[Array, "B E"],
    text: Float[Array, "B E"],
    prototypes: Float[Array, "K E"],
    *,
    temperature: ScalarLike = 0.2,
    epsilon: float = 0.05,
    iterations: int = 3,
    mask: Mask[Array, " B"] | None = None,
) -> Float[jax.Array, ""]:
    """Half the sum of both cross-entropies from one modality's clusters to the other's codes.

    Args:
      image: [B, E] unit-norm image embeddings.
      text: [B, E] unit-norm text embeddings.
      prototypes: [K, E] raw; they take unit norm here.
      temperature: scalar of the predicted distribution over prototypes.
      epsilon: sharpness of the codes' optimal transport.
      iterations: Sinkhorn iterations.
      mask: bool [B], false where a row has no image or no text: it has no code and takes no
        share of a prototype.

    Returns:
      A float32 scalar; 0 with zero gradient when no row is valid. Codes carry no gradient.

    Raises:
      ValueError: shapes disagree.

    Reference: Wang et al., MGCA, arXiv:2210.06044, equations 7-9; codes by Caron et al.,
    "Unsupervised Learning of Visual Features by Contrasting Cluster Assignments",
    arXiv:2006.09882.
    """
    image, text, valid = valid_pairs(image, text, mask)
    if prototypes.ndim != 2 or prototypes.shape[1] != image.shape[1]:
        raise ValueError(f"prototypes {prototypes.shape} must be [K, E] with E = {image.shape[1]}")
    directions = unit(real(prototypes))
    scores = [similarities(rows, directions) for rows in (image, text)]
    codes = [jax.lax.stop_gradient(sinkhorn(s, valid, epsilon, iterations)) for s in scores]
    log_shares = [jax.nn.log_softmax(s / real(temperature), axis=1) for s in scores]
    terms = [
        masked_mean(-jnp.sum(code * log_share, axis=1), valid)
        for code, log_share in zip(codes, reversed(log_shares), strict=True)
    ]
    return 0.5 * (terms[0] + terms[1])


def sinkhorn(
    scores: Float[Array, "B K"], valid: Bool[Array, " B"], epsilon: float, iterations: int
) -> Float[jax.Array, "B K"]:
    """Soft assignments [B, K] that use all prototypes alike; rows sum to 1, invalid ones to 0.

    Args:
      scores: [B, K] similarities of rows and prototypes.
      valid: bool [B].
      epsilon: entropy; the smaller, the closer to one prototype per row.
      iterations: alternations of prototype and row normalisation, at least 1.

    Raises:
      ValueError: no iteration.
    """
    if iterations < 1:
        raise ValueError(f"iterations is {iterations}; Sinkhorn needs at least 1")
    # In logarithms: exp(1 / epsilon) overflows float32 below an epsilon of 0.012.
    log_codes = scores / epsilon
    rows = valid[:, None]
    for _ in range(iterations):
        column = jax.nn.logsumexp(log_codes, axis=0, keepdims=True, where=rows)
        log_codes = log_codes - jnp.where(jnp.any(valid), column, 0.0)
        log_codes = log_codes - jax.nn.logsumexp(log_codes, axis=1, keepdims=True)
    return jnp.where(rows, jnp.exp(log_codes), 0.0)
