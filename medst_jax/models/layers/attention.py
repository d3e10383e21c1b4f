# SPDX-License-Identifier: Apache-2.0
"""Multi-head self-attention and the two-layer MLP of a transformer layer."""

from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx
from flax.nnx.nn.dtypes import promote_dtype

from medst_jax.array_types import Array
from medst_jax.models.layers.dropout import dropout

_MASKED = -1e9  # exp of it is exactly 0, and a row without any valid key stays finite

# "gelu" is the exact one (erf), as in BERT and timm; "gelu_tanh" its approximation, as in SigLIP,
# cheaper on TPUs; "quick_gelu" that of OpenAI's CLIP. "relu" is the first transformer's, "silu"
# that of gated layers.
Activation = Literal["gelu", "gelu_tanh", "quick_gelu", "relu", "silu"]


# What computes attention: "einsum" is XLA's own, on every device; "cudnn" NVIDIA's fused kernel, on
# GPUs alone; "auto" takes that one where it can be had, and einsum elsewhere; stacks that are
# recomputed on TPUs run by `row_stack` then.
Implementation = Literal["einsum", "cudnn", "auto"]


def gelu(x: jax.Array) -> jax.Array:
    """x times the normal distribution function of x (Hendrycks and Gimpel, arXiv:1606.08415)."""
    return jax.nn.gelu(x, approximate=False)


def gelu_tanh(x: jax.Array) -> jax.Array:
    """The approximation of `gelu` by a hyperbolic tangent (the same paper, section 2)."""
    return jax.nn.gelu(x, approximate=True)


def quick_gelu(x: jax.Array) -> jax.Array:
    """x times sigmoid(1.702 x), the approximation that OpenAI's CLIP was trained with."""
    return x * jax.nn.sigmoid(1.702 * x)


ACTIVATIONS = {
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "quick_gelu": quick_gelu,
    "relu": jax.nn.relu,
    "silu": jax.nn.silu,
}


class SelfAttention(nnx.Module):
    """Self-attention over the tokens of one example; softmax in float32.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        dropout_rate: float = 0.0,
        causal: bool = False,
        qkv_bias: bool = True,
        kernel_init: nnx.Initializer,
        dtype: str = "float32",
        implementation: Implementation = "einsum",
        rngs: nnx.Rngs,
    ) -> None:
        """`causal`: a token attends to itself and those before it; `qkv_bias`: of the inputs.

        `implementation`: see `attend`.

        Raises ValueError when `heads` does not divide `width`.
        """
        if width % heads:
            raise ValueError(f"width {width} is not divisible by heads {heads}")
        size = width // heads
        self.dropout = dropout_rate
        self.causal = causal
        self.implementation: Implementation = implementation
        self.qkv = nnx.LinearGeneral(
            width,
            (3, heads, size),
            use_bias=qkv_bias,
            kernel_init=kernel_init,
            dtype=dtype,
            kernel_metadata={"axes": ("embed", None, "heads", None)},
            bias_metadata={"axes": (None, "heads", None)},
            rngs=rngs,
        )
        self.out = nnx.LinearGeneral(
            (heads, size),
            width,
            axis=(-2, -1),
            kernel_init=kernel_init,
            dtype=dtype,
            kernel_metadata={"axes": ("heads", None, "embed")},
            bias_metadata={"axes": ("embed",)},
            rngs=rngs,
        )

    def __call__(
        self,
        x: jax.Array,
        mask: Array | None = None,
        *,
        rotation: tuple[Array, Array] | None = None,
        keys: jax.Array | None = None,
    ) -> jax.Array:
        """[B, L, D] -> [B, L, D].

        Args:
          x: [B, L, D].
          mask: bool [B, L], true where a token may be attended to, or [B, L, L] of each token by
            each; None for all.
          rotation: cosines and sines [L, d] of rotary positions, of queries and keys; no bias of
            the keys is meant where they are given.
          keys: [B] PRNG keys for dropout of attention weights (site 0), or None.
        """
        query, key, value, bias = self._project(x)
        if rotation is not None:
            query, key = rotate(query, *rotation), rotate(key, *rotation)
        if bias is not None and self.dropout:
            value, bias = value + bias, None
        mixed = attend(
            query,
            key,
            value,
            mask,
            causal=self.causal,
            rate=self.dropout,
            keys=keys,
            implementation=self.implementation,
        )
        out = self.out(mixed)
        if bias is None:
            return out
        # Weights of one query sum to 1 unless some are dropped, so the values' bias comes through
        # as it is; behind the output projection its gradient is that of the output's bias.
        return out + jnp.einsum("hk,hkd->d", bias, self.out.kernel[...].astype(bias.dtype))

    def _project(self, x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array | None]:
        """Queries, keys, values [B, L, H, d], and the bias of the values [H, d], not yet added.

        The bias of the keys adds the same to all scores of a query, which softmax does not see: it
        is left out. Its gradient and that of the values' bias would be sums over all tokens in a
        layout that suits the scores, 3% of a ViT's training step on TPUs.
        """
        kernel, bias = self.qkv.kernel[...], self.qkv.bias
        x, kernel = promote_dtype((x, kernel), dtype=self.qkv.dtype)
        query, key, value = jnp.moveaxis(jnp.einsum("bld,dchk->blchk", x, kernel), 2, 0)
        if bias is None:
            return query, key, value, None
        of_query, _, of_value = bias[...].astype(query.dtype)
        return query + of_query, key, value, of_value

    def maps(self, x: jax.Array, mask: Array | None = None) -> jax.Array:
        """What each token attends to, float32 [B, H, L, L], for inputs as of the call."""
        query, key, _, _ = self._project(x)
        return jax.nn.softmax(attention_scores(query, key, mask, causal=self.causal))

    def first_map(self, x: jax.Array) -> jax.Array:
        """What the first token attends to, float32 [B, H, L], where no token is masked."""
        query, key, _, _ = self._project(x)
        return jax.nn.softmax(attention_scores(query[:, :1], key, None))[:, :, 0]


def rotate(x: jax.Array, cosines: Array, sines: Array) -> jax.Array:
    """Rotary positions: turn the pairs (k, k + d / 2) of x [B, L, H, d] by the angles [L, d].

    Source: Su et al. 2021 (arXiv:2104.09864), section 3.2.2, with halves in place of neighbours.
    """
    first, second = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    turned = jnp.concatenate([-second, first], axis=-1)
    return (x * cosines[:, None] + turned * sines[:, None]).astype(x.dtype)


def attention_scores(
    query: jax.Array, key: jax.Array, mask: Array | None, *, causal: bool = False
) -> jax.Array:
    """Scaled dot products, [B, H, L, M] in float32 or, of such, float64; see `attend`."""
    scores = jnp.einsum("blhd,bmhd->bhlm", query * query.shape[-1] ** -0.5, key)
    scores = scores.astype(jnp.promote_types(scores.dtype, jnp.float32))
    if mask is not None:
        allowed = mask[:, None, None, :] if mask.ndim == 2 else mask[:, None]
        scores = jnp.where(allowed, scores, _MASKED)
    if causal:
        scores = jnp.where(jnp.tri(scores.shape[-1], dtype=bool), scores, _MASKED)
    return scores


def attend(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    mask: Array | None = None,
    *,
    causal: bool = False,
    rate: float = 0.0,
    keys: jax.Array | None = None,
    implementation: Implementation = "einsum",
) -> jax.Array:
    """Scaled dot-product attention, softmax in float32.

    Args:
      query: [B, L, H, d].
      key: [B, M, H, d].
      value: [B, M, H, d].
      mask: bool [B, M], true where a token may be attended to, or [B, L, M] of each token by each;
        None for all.
      causal: a token attends to itself and those before it; L and M are equal.
      rate: of dropout of the attention weights.
      keys: [B] PRNG keys of dropout (site 0), or None.
      implementation: what computes it; "auto" takes cuDNN's fused kernel where the device, the
        dtype, the heads and dropout allow it, and einsum elsewhere. A query that may attend to
        nothing attends to all alike in both.

    Returns:
      [B, L, H, d].

    Raises:
      ValueError: "cudnn" was asked for where it cannot compute this; says why.
    """
    if implementation != "einsum":
        # Read when it is asked: building a system needs no more files than its encoders.
        from medst_jax.models.layers.fused_attention import choose, fused_attention

        if choose(implementation, query, 0.0 if keys is None else rate) == "cudnn":
            return fused_attention(query, key, value, mask, causal=causal)
    weights = jax.nn.softmax(attention_scores(query, key, mask, causal=causal))
    weights = dropout(weights.astype(value.dtype), rate, keys, 0)
    return jnp.einsum("bhlm,bmhd->blhd", weights, value)


class Mlp(nnx.Module):
    """Linear, activation, linear; see `Activation`."""

    def __init__(
        self,
        width: int,
        hidden: int,
        *,
        activation: Activation = "gelu",
        kernel_init: nnx.Initializer,
        dtype: str = "float32",
        rngs: nnx.Rngs,
    ) -> None:
        self.activation = ACTIVATIONS[activation]
        self.fc1 = nnx.Linear(
            width,
            hidden,
            kernel_init=kernel_init,
            dtype=dtype,
            kernel_metadata={"axes": ("embed", "mlp")},
            bias_metadata={"axes": ("mlp",)},
            rngs=rngs,
        )
        self.fc2 = mlp_output(hidden, width, kernel_init=kernel_init, dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """[B, L, D] -> [B, L, D]."""
        return self.fc2(self.activation(self.fc1(x)))


def mlp_output(
    hidden: int, width: int, *, kernel_init: nnx.Initializer, dtype: str, rngs: nnx.Rngs
) -> nnx.Linear:
    """The last linear layer of an MLP, plain or gated."""
    return nnx.Linear(
        hidden,
        width,
        kernel_init=kernel_init,
        dtype=dtype,
        kernel_metadata={"axes": ("mlp", "embed")},
        bias_metadata={"axes": ("embed",)},
        rngs=rngs,
    )


def layer_norm(width: int, epsilon: float, dtype: str, rngs: nnx.Rngs) -> nnx.LayerNorm:
    """Layer normalisation with float32 statistics and annotated parameters.

    In float32 the variance takes a second pass over the centred values. In bfloat16, whose values
    carry three digits, mean and mean square in one pass lose nothing and save the other pass
    (6% of a transformer layer's time on TPUs).
    """
    return nnx.LayerNorm(
        width,
        epsilon=epsilon,
        dtype=dtype,
        use_fast_variance=dtype != "float32",
        scale_metadata={"axes": ("embed",)},
        bias_metadata={"axes": ("embed",)},
        rngs=rngs,
    )
