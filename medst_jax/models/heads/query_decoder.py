# SPDX-License-Identifier: Apache-2.0
"""Questions put to the regions of an image: a decoder whose queries are vectors of texts.

MedKLIP (Wu et al., ICCV 2023, arXiv:2301.02228) and KAD (Zhang et al., Nature Communications 2023,
arXiv:2302.14042) ask about all their findings at once. With self-attention the answer to a question
depends on which others are asked beside it; CARZero (CVPR 2024, arXiv:2402.17417) leaves it out.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.array_types import Array
from medst_jax.models.layers.attention import Mlp, SelfAttention, layer_norm
from medst_jax.models.layers.cross_attention import CrossProjections
from medst_jax.models.layers.dropout import dropout, fold_keys
from medst_jax.models.layers.stack import scan_layers, stack_layers

_init = nnx.initializers.normal(0.02)
_EPSILON = 1e-5  # of every norm, PyTorch's default


@dataclasses.dataclass(frozen=True)
class QueryDecoderOptions:
    """Sizes of a query decoder; every value is plain JSON.

    width: D, of queries and patches. heads, depth, mlp: of the layers.
    self_attention: whether queries attend to one another.
    shared_norm: whether one layer norm serves both inputs and the output, as in KAD; else it is
      of the output alone, as in MedKLIP.
    dropout: of attention weights, of branches and of the output, in [0, 1).
    """

    width: int = 256
    heads: int = 4
    depth: int = 4
    mlp: int = 1024
    self_attention: bool = True
    shared_norm: bool = False
    dropout: float = 0.1
    dtype: str = "float32"


class QueryOutput(NamedTuple):
    """features: [B, Q, D], one answer a query, in the compute dtype.

    maps: [depth, B, Q, P], which patches each query attends to in each layer, mean over heads.
    """

    features: jax.Array
    maps: jax.Array


class QueryLayer(nnx.Module):
    """Pre-norm: queries attend to one another, then to the patches, then an MLP with ReLU."""

    def __init__(self, options: QueryDecoderOptions, *, rngs: nnx.Rngs) -> None:
        width, heads, dtype = options.width, options.heads, options.dtype
        self.rate = options.dropout
        self.self_attention = options.self_attention
        if self.self_attention:
            self.norm1 = layer_norm(width, _EPSILON, dtype, rngs)
            self.attn = SelfAttention(
                width, heads, dropout_rate=self.rate, kernel_init=_init, dtype=dtype, rngs=rngs
            )
        self.norm2 = layer_norm(width, _EPSILON, dtype, rngs)
        self.cross = CrossProjections(width, width, heads, dtype=dtype, rngs=rngs)
        self.norm3 = layer_norm(width, _EPSILON, dtype, rngs)
        self.mlp = Mlp(
            width, options.mlp, activation="relu", kernel_init=_init, dtype=dtype, rngs=rngs
        )

    def __call__(
        self,
        x: jax.Array,
        patches: jax.Array,
        query_mask: Array | None = None,
        patch_mask: Array | None = None,
        *,
        keys: jax.Array | None = None,
    ) -> jax.Array:
        """[B, Q, D], [B, P, D] -> [B, Q, D]; see `QueryDecoder` for the masks."""
        x = self._among_queries(x, query_mask, keys)
        weights = fold_keys(keys, 4)
        seen = self.cross.read(self.norm2(x), patches, patch_mask, rate=self.rate, keys=weights)
        x = x + dropout(seen, self.rate, keys, 2)
        return x + dropout(self.mlp(self.norm3(x)), self.rate, keys, 3)

    def maps(
        self,
        x: jax.Array,
        patches: jax.Array,
        query_mask: Array | None = None,
        patch_mask: Array | None = None,
    ) -> jax.Array:
        """Which patches each query attends to, [B, Q, P], for inputs as of the call."""
        x = self._among_queries(x, query_mask, None)
        return jnp.mean(self.cross.maps(self.norm2(x), patches, patch_mask), axis=1)

    def _among_queries(
        self, x: jax.Array, query_mask: Array | None, keys: jax.Array | None
    ) -> jax.Array:
        if not self.self_attention:
            return x
        return x + dropout(self.attn(self.norm1(x), query_mask, keys=keys), self.rate, keys, 1)


class QueryDecoder(nnx.Module):
    """Queries and patches to answers. Patches get no position embedding, as in the releases.

    The releases also drop values inside the MLP; this does not.
    """

    def __init__(self, options: QueryDecoderOptions, *, rngs: nnx.Rngs) -> None:
        self.options = options
        self.layers = stack_layers(lambda r: QueryLayer(options, rngs=r), options.depth, rngs)
        self.norm = layer_norm(options.width, _EPSILON, options.dtype, rngs)

    def __call__(
        self,
        queries: jax.Array,
        patches: jax.Array,
        *,
        query_mask: Array | None = None,
        patch_mask: Array | None = None,
        keys: jax.Array | None = None,
    ) -> QueryOutput:
        """Answer every query by the patches of its example.

        Args:
          queries: [B, Q, D], or [Q, D] for the same ones of every example.
          patches: [B, P, D].
          query_mask: bool [B, Q], true where a query may be attended to, or [B, Q, Q] of each by
            each; None for all.
          patch_mask: bool [B, P], true where a patch may be attended to; None for all.
          keys: [B] typed PRNG keys, one per example, for dropout; None switches it off.
        """
        options, dtype = self.options, self.options.dtype
        if queries.ndim == 2:
            queries = jnp.broadcast_to(queries, (len(patches), *queries.shape))
        x, patches = queries.astype(dtype), patches.astype(dtype)
        if options.shared_norm:
            x, patches = self.norm(x), self.norm(patches)

        def apply(layer: QueryLayer, index: jax.Array, x: jax.Array, rows: tuple) -> jax.Array:
            *given, keys = rows
            return layer(x, *given, keys=fold_keys(keys, index + 1))

        given = (patches, query_mask, patch_mask)
        last, every = scan_layers(self.layers, apply, x, (*given, keys), every=True)
        assert every is not None
        features = dropout(self.norm(last), options.dropout, keys, 0)
        # Of the layers' inputs, and without dropout; where nobody reads them they cost nothing.
        inputs = jnp.concatenate([x[None], every[:-1]])
        graphdef, parameters = nnx.split(self.layers)

        def look(one: nnx.State, x: jax.Array) -> jax.Array:
            return nnx.merge(graphdef, one, copy=True).maps(x, *given)

        return QueryOutput(features, jax.vmap(look)(parameters, inputs))


def normal_linear(features: int, size: int, rngs: nnx.Rngs) -> nnx.Linear:
    """A linear layer whose weights are drawn from N(0, 0.02), as all of MedKLIP's."""
    return nnx.Linear(
        features,
        size,
        kernel_init=_init,
        kernel_metadata={"axes": ("embed", None)},
        bias_metadata={"axes": (None,)},
        rngs=rngs,
    )
