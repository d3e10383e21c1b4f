# SPDX-License-Identifier: Apache-2.0
"""BERT's pooler: the first token through a linear map and tanh."""

import jax
import jax.numpy as jnp
from flax import nnx


class Pooler(nnx.Module):
    """tanh(W h_first + b), as `BertPooler` of Hugging Face.

    Source: Devlin et al. 2019, arXiv:1810.04805, section 3.1 (the aggregate representation).
    """

    def __init__(self, width: int, *, rngs: nnx.Rngs) -> None:
        self.dense = nnx.Linear(
            width,
            width,
            kernel_init=nnx.initializers.normal(0.02),
            kernel_metadata={"axes": ("embed", None)},
            bias_metadata={"axes": (None,)},
            rngs=rngs,
        )

    def __call__(self, tokens: jax.Array) -> jax.Array:
        """Last hidden states [B, L, D] -> float32 [B, D] in (-1, 1)."""
        return jnp.tanh(self.dense(tokens[:, 0].astype(jnp.float32)))
