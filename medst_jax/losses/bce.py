# SPDX-License-Identifier: Apache-2.0
"""Binary cross-entropy over the labels that a sample's data set knows."""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Shaped

from medst_jax.array_types import Array, Mask
from medst_jax.losses.shapes import masked_mean, real


def masked_bce_loss(
    logits: Float[Array, "B C"], labels: Shaped[Array, "B C"], label_mask: Mask[Array, "B C"]
) -> Float[jax.Array, ""]:
    """Mean over samples of the mean over their known labels of the binary cross-entropy.

    Args:
      logits: [B, C].
      labels: [B, C] in [0, 1]; ignored where masked.
      label_mask: bool [B, C], true where the label is known.

    Returns:
      A float32 scalar; samples without any known label do not count, and the loss is 0 with
      zero gradient when no sample has one.

    Raises:
      ValueError: shapes disagree.

    Reference: DLILP, "A Reality Check of Vision-Language Pre-training in Radiology",
    arXiv:2504.05227, the image-label objective. The release adds 1e-3 to each sample's label
    count; this does not.

    >>> import jax.numpy as jnp
    >>> round(float(masked_bce_loss(jnp.zeros((1, 2)), jnp.ones((1, 2)), jnp.ones((1, 2)))), 4)
    0.6931
    """
    if not (logits.ndim == 2 and logits.shape == labels.shape == label_mask.shape):
        raise ValueError(
            f"logits {logits.shape}, labels {labels.shape} and label_mask {label_mask.shape} "
            "must have one shape [B, C]"
        )
    known = label_mask.astype(bool)
    logits, labels = real(logits), real(labels)
    # Masked labels may hold any code, also NaN: replaced before the arithmetic, not after it.
    labels = jnp.where(known, labels, 0.0)
    each = jnp.where(known, jax.nn.softplus(logits) - labels * logits, 0.0)
    count = jnp.sum(known, axis=1)
    per_sample = jnp.sum(each, axis=1) / jnp.maximum(count, 1)
    return masked_mean(per_sample, count > 0)
