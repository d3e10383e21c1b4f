# SPDX-License-Identifier: Apache-2.0
"""Divergence of a diagonal Gaussian posterior from the standard normal prior."""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from medst_jax.array_types import Array, Mask
from medst_jax.losses.shapes import check_rows, masked_mean, real, valid_rows, zero_invalid


def gaussian_kl(
    mean: Float[Array, "B Z"],
    log_variance: Float[Array, "B Z"],
    *,
    mask: Mask[Array, " B"] | None = None,
) -> Float[jax.Array, ""]:
    """Mean over rows of KL(N(mean, exp(log_variance)) || N(0, I)).

    Args:
      mean: [B, Z].
      log_variance: [B, Z].
      mask: bool [B], false where a row has no image.

    Returns:
      A float32 scalar in nats; 0 with zero gradient when no row is valid.

    Raises:
      ValueError: shapes disagree.

    Reference: Kingma and Welling, "Auto-Encoding Variational Bayes", arXiv:1312.6114,
    appendix B.

    >>> import jax.numpy as jnp
    >>> float(gaussian_kl(jnp.ones((1, 2)), jnp.zeros((1, 2))))
    1.0
    """
    if mean.ndim != 2 or mean.shape != log_variance.shape:
        raise ValueError(
            f"mean {mean.shape} and log_variance {log_variance.shape} must have one shape [B, Z]"
        )
    check_rows(mean.shape[0], mask)
    valid = valid_rows(mean.shape[0], mask)
    mean, log_variance = (real(zero_invalid(x, valid)) for x in (mean, log_variance))
    each = 0.5 * jnp.sum(jnp.square(mean) + jnp.exp(log_variance) - log_variance - 1.0, axis=1)
    return masked_mean(each, valid)
