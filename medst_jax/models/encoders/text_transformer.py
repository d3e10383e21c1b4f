# SPDX-License-Identifier: Apache-2.0
"""Pre-norm text transformer with learned positions, pooled to one vector per text."""

import dataclasses
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Integer, Key

from medst_jax.array_types import Array, Mask
from medst_jax.models.layers.attention import Activation, Implementation, layer_norm
from medst_jax.models.layers.attention_pool import AttentionPool
from medst_jax.models.layers.dropout import dropout
from medst_jax.models.layers.pre_norm import PreNormLayer, run_layers
from medst_jax.models.layers.stack import Remat, stack_layers
from medst_jax.options import before


@dataclasses.dataclass(frozen=True)
class TextTransformerOptions:
    """Sizes of a text transformer; every value is plain JSON. `max_length` is in tokens.

    pooling: "last" takes the last valid token, which closes the text; "map" attends over all.
    padding: "masked" leaves it out; "read" attends to it like any token and, with pooling "last",
      takes position `max_length` even where it is padding, as SigLIP was trained.
    attention: what computes it, see `attention.attend`.
    """

    vocabulary_size: int
    width: int = 768
    depth: int = 12
    heads: int = 12
    mlp: int = 3072
    max_length: int = 64
    pooling: Literal["last", "map"] = "last"
    activation: Activation = "gelu_tanh"
    dropout: float = 0.0
    epsilon: float = 1e-6
    init_std: float = 0.02
    dtype: str = "float32"
    remat: Remat = "none"
    unroll: int = 1
    slices: int = 1
    attention: Implementation = dataclasses.field(default="auto", metadata=before("einsum"))
    padding: Literal["masked", "read"] = dataclasses.field(
        default="masked", metadata=before("masked")
    )

    @classmethod
    def base(cls, vocabulary_size: int, **changes: Any) -> "TextTransformerOptions":
        """SigLIP's text tower of size B: 12 layers of width 768."""
        return cls(vocabulary_size, **changes)

    @classmethod
    def small(cls, vocabulary_size: int, **changes: Any) -> "TextTransformerOptions":
        """Two layers of width 64 for a CPU; init_std keeps the base size's ratio to 1/sqrt(width)."""
        sizes = dict(width=64, depth=2, heads=2, mlp=128, init_std=0.07)
        return cls(vocabulary_size, **{**sizes, **changes})


class TextTransformerOutput(NamedTuple):
    """tokens [B, L, D] after the final norm, in the compute dtype; pooled float32 [B, D]."""

    tokens: jax.Array
    pooled: jax.Array

    @property
    def hidden_states(self) -> tuple[jax.Array, ...]:
        """The tokens, as a `towers.TextTower` reads them."""
        return (self.tokens,)


class TextTransformer(nnx.Module):
    """Tokens to token features and one vector.

    Source: Zhai et al. 2023 (arXiv:2303.15343): bidirectional attention, no causal mask. Unlike
    the release, padding is masked, so that it changes no text's vector, unless `options.padding`
    is "read".
    """

    def __init__(self, options: TextTransformerOptions, *, rngs: nnx.Rngs) -> None:
        self.options = options
        self.features = options.width
        init = nnx.initializers.normal(options.init_std)
        width, dtype = options.width, options.dtype

        def table(rows: int, name: str) -> nnx.Param:
            return nnx.Param(init(rngs.params(), (rows, width), jnp.float32), axes=(name, "embed"))

        def layer(rngs: nnx.Rngs) -> PreNormLayer:
            return PreNormLayer(
                width,
                options.heads,
                options.mlp,
                activation=options.activation,
                rate=options.dropout,
                epsilon=options.epsilon,
                kernel_init=init,
                dtype=dtype,
                attention=options.attention,
                rngs=rngs,
            )

        self.word_embeddings = table(options.vocabulary_size, "vocab")
        self.position_embeddings = table(options.max_length, "position")
        self.layers = stack_layers(layer, options.depth, rngs)
        self.norm = layer_norm(width, options.epsilon, dtype, rngs)
        if options.pooling == "map":
            self.pool = AttentionPool(
                width,
                options.heads,
                options.mlp,
                activation=options.activation,
                epsilon=options.epsilon,
                kernel_init=init,
                dtype=dtype,
                rngs=rngs,
            )

    def __call__(
        self,
        tokens: Integer[Array, "B L"],
        token_mask: Mask[Array, "B L"],
        *,
        keys: Key[jax.Array, " B"] | None = None,
    ) -> TextTransformerOutput:
        """Encode tokens; padding changes no valid token's result unless it is read.

        Args:
          tokens: int32 [B, L], L at most max_length, values in [0, vocabulary_size).
          token_mask: bool [B, L], false on padding.
          keys: [B] typed PRNG keys, one per example, for dropout; None switches it off.

        Raises:
          ValueError: the text is longer than max_length, or shorter where padding is read.
        """
        options, length = self.options, tokens.shape[1]
        if options.padding == "read":
            if length != options.max_length:
                raise ValueError(
                    f"texts have {length} tokens; this TextTransformer reads the padding too and "
                    f"takes texts padded to {options.max_length}"
                )
            token_mask = jnp.ones(tokens.shape, bool)
        if length > options.max_length:
            raise ValueError(
                f"texts have {length} tokens; this TextTransformer takes {options.max_length}"
            )
        x = self.word_embeddings[...][tokens] + self.position_embeddings[...][:length]
        x = dropout(x.astype(options.dtype), options.dropout, keys, 0)

        x, _ = run_layers(self.layers, x, options, token_mask, keys=keys)
        x = self.norm(x)
        if options.pooling == "map":
            pooled = self.pool(x, token_mask)
        else:
            # A selection by a product, whose gradient needs no scatter.
            last = jnp.arange(length) == jnp.sum(token_mask, axis=1, keepdims=True) - 1
            pooled = jnp.einsum("bl,bld->bd", last.astype(x.dtype), x)
        return TextTransformerOutput(x, pooled.astype(jnp.float32))
