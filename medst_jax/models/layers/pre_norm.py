# SPDX-License-Identifier: Apache-2.0
"""A pre-norm transformer layer, shared by image and text transformers."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.array_types import Array
from medst_jax.models.layers.attention import (
    Activation,
    Implementation,
    Mlp,
    SelfAttention,
    layer_norm,
)
from medst_jax.models.layers.dropout import dropout, fold_keys
from medst_jax.models.layers.gated_mlp import GatedMlp
from medst_jax.models.layers.stack import scan_layers
from medst_jax.parallel.placement import current_placement


class PreNormLayer(nnx.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)), branches scaled where scales are learned."""

    def __init__(
        self,
        width: int,
        heads: int,
        hidden: int,
        *,
        activation: Activation,
        rate: float,
        epsilon: float,
        kernel_init: nnx.Initializer,
        dtype: str,
        qkv_bias: bool = True,
        gated: bool = False,
        layer_scale: float = 0.0,
        attention: Implementation = "einsum",
        rngs: nnx.Rngs,
    ) -> None:
        """`hidden` is the width of the MLP, `rate` that of dropout.

        `layer_scale` is the first value of a learned factor for each feature of a branch, 0 for
        none (Touvron et al. 2021, arXiv:2103.17239, section 2.1). `attention` is computed by what
        it says, see `attention.attend`.
        """
        self.rate = rate
        self.norm1 = layer_norm(width, epsilon, dtype, rngs)
        self.attn = SelfAttention(
            width,
            heads,
            dropout_rate=rate,
            qkv_bias=qkv_bias,
            kernel_init=kernel_init,
            dtype=dtype,
            implementation=attention,
            rngs=rngs,
        )
        self.norm2 = layer_norm(width, epsilon, dtype, rngs)
        mlp: Any = GatedMlp if gated else Mlp
        self.mlp = mlp(
            width, hidden, activation=activation, kernel_init=kernel_init, dtype=dtype, rngs=rngs
        )
        if layer_scale:
            self.scale1 = _factors(width, layer_scale)
            self.scale2 = _factors(width, layer_scale)

    def __call__(
        self,
        x: jax.Array,
        mask: Array | None = None,
        *,
        rotation: tuple[Array, Array] | None = None,
        keys: jax.Array | None = None,
    ) -> jax.Array:
        """[B, L, D] and bool [B, L] -> [B, L, D].

        `rotation` are rotary positions, see `SelfAttention`; `keys` [B] switch dropout on.
        """
        attended = self.attn(self.norm1(x), mask, rotation=rotation, keys=keys)
        x = x + dropout(self._scaled(attended, "scale1"), self.rate, keys, 1)
        mapped = self.mlp(self.norm2(x))
        return x + dropout(self._scaled(mapped, "scale2"), self.rate, keys, 2)

    def _scaled(self, branch: jax.Array, name: str) -> jax.Array:
        factors = getattr(self, name, None)
        return branch if factors is None else branch * factors[...].astype(branch.dtype)


def run_layers(
    layers: PreNormLayer,
    x: jax.Array,
    options: Any,
    mask: Array | None = None,
    *,
    rotation: tuple[Array, Array] | None = None,
    keys: jax.Array | None = None,
    every: bool = False,
) -> tuple[jax.Array, jax.Array | None]:
    """Run a stack of pre-norm layers as its options say.

    A training step on TPUs that recomputes its layers runs them over flat rows, with attention by
    kernels of this project, where `row_stack.obstacle` names nothing. The value is the same.

    Args:
      layers: what `stack_layers` made.
      x: [B, L, D].
      options: of the encoder; `remat`, `unroll`, `slices` and `attention` are read.
      mask, rotation, keys: as of a layer; the keys are folded with each layer's number.
      every: whether to return every layer's activations.

    Returns:
      the last activations, and those after every layer [depth, B, L, D] or None.
    """

    def apply(layer: PreNormLayer, index: jax.Array, x: jax.Array, rows: Any) -> jax.Array:
        mask, keys = rows
        return layer(x, mask, rotation=rotation, keys=fold_keys(keys, index + 1))

    plain = rotation is not None or every or (keys is not None and layers.rate > 0)
    by_rows = options.attention == "auto" and options.remat == "full" and x.dtype == jnp.bfloat16
    if by_rows and not plain and current_placement().platform == "tpu":
        # Read on TPUs alone: the kernels' language takes a second to import.
        from medst_jax.models.layers.row_stack import obstacle, run_rows

        if not obstacle(layers, x, options.slices, current_placement().batch_shards()):
            return run_rows(layers, x, mask, slices=options.slices), None
    return scan_layers(
        layers,
        apply,
        x,
        (mask, keys),
        remat=options.remat,
        unroll=options.unroll,
        slices=options.slices,
        every=every,
    )


def _factors(width: int, value: float) -> nnx.Param[jax.Array]:
    return nnx.Param(jnp.full((width,), value, jnp.float32), axes=("embed",))
