# SPDX-License-Identifier: Apache-2.0
"""Parts of an image or a report as one vector, and how much each part counts in it."""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from medst_jax.array_types import Array, Mask
from medst_jax.models.layers.cross_attention import CrossProjections


class PooledAttention(CrossProjections):
    """Multi-head attention whose one query is the mean of the parts.

    Source: Mueller et al. 2022 (arXiv:2112.02889), section 3.1. The release's mean divides by the padded
    number of parts; here by that of the parts there are.
    """

    def __call__(
        self, parts: Float[jax.Array, "B N D"], mask: Mask[Array, "B N"]
    ) -> tuple[Float[jax.Array, "B D"], Float[jax.Array, "B N"]]:
        """Pool the parts of each example.

        Args:
          parts: [B, N, D].
          mask: bool [B, N], false for padding.

        Returns:
          float32 [B, D], and the share of each part, float32 [B, N], the mean over heads; shares of
          an example sum to 1, those of padding are 0 where there is any part.
        """
        known = jnp.asarray(mask).astype(bool)
        count = jnp.maximum(jnp.sum(known, axis=1, keepdims=True), 1)
        query = jnp.sum(jnp.where(known[..., None], parts, 0), axis=1) / count.astype(parts.dtype)
        pooled = self.read(query[:, None], parts, known)[:, 0]
        shares = jnp.mean(self.maps(query[:, None], parts, known), axis=1)[:, 0]
        return pooled.astype(jnp.float32), shares.astype(jnp.float32)
