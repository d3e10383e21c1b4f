# SPDX-License-Identifier: Apache-2.0
"""The gated MLP of a transformer layer (SwiGLU and its kin)."""

import jax
from flax import nnx

from medst_jax.models.layers.attention import ACTIVATIONS, Activation, mlp_output


class GatedMlp(nnx.Module):
    """fc2(activation(gate) * value), both of one linear layer.

    Source: Shazeer 2020 (arXiv:2002.05202), equation 6; "silu" makes it SwiGLU.
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        *,
        activation: Activation,
        kernel_init: nnx.Initializer,
        dtype: str = "float32",
        rngs: nnx.Rngs,
    ) -> None:
        """`hidden` is the width of gate and value each."""
        self.activation = ACTIVATIONS[activation]
        self.fc1 = nnx.LinearGeneral(
            width,
            (2, hidden),
            kernel_init=kernel_init,
            dtype=dtype,
            kernel_metadata={"axes": ("embed", None, "mlp")},
            bias_metadata={"axes": (None, "mlp")},
            rngs=rngs,
        )
        self.fc2 = mlp_output(hidden, width, kernel_init=kernel_init, dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """[B, L, D] -> [B, L, D]."""
        both = self.fc1(x)
        return self.fc2(self.activation(both[..., 0, :]) * both[..., 1, :])
