# SPDX-License-Identifier: Apache-2.0
"""BERT encoder (post-norm) that returns every layer's tokens."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float, Integer, Key

from medst_jax.array_types import Array, Mask
from medst_jax.models.layers.attention import Implementation, Mlp, SelfAttention, layer_norm
from medst_jax.models.layers.dropout import dropout, fold_keys
from medst_jax.models.layers.stack import Remat, scan_layers, stack_layers
from medst_jax.options import before


@dataclasses.dataclass(frozen=True)
class BertOptions:
    """Sizes of a BERT encoder; every value is plain JSON. `max_length` is in tokens.

    attention: what computes it, see `attention.attend`.
    """

    vocabulary_size: int
    width: int = 768
    depth: int = 12
    heads: int = 12
    mlp: int = 3072
    max_length: int = 512
    token_types: int = 2
    dropout: float = 0.1
    epsilon: float = 1e-12
    init_std: float = 0.02
    dtype: str = "float32"
    remat: Remat = "none"
    unroll: int = 1
    slices: int = 1
    attention: Implementation = dataclasses.field(default="auto", metadata=before("einsum"))

    @classmethod
    def bert_base(cls, vocabulary_size: int, **changes: Any) -> "BertOptions":
        """BERT-base: 12 layers of width 768."""
        return cls(vocabulary_size, **changes)

    @classmethod
    def small(cls, vocabulary_size: int, **changes: Any) -> "BertOptions":
        """Two layers of width 128 for a CPU; init_std keeps BERT-base's ratio to 1/sqrt(width)."""
        sizes = dict(width=128, depth=2, heads=4, mlp=256, max_length=128, init_std=0.05)
        return cls(vocabulary_size, **{**sizes, "dropout": 0.0, **changes})


class BertOutput(NamedTuple):
    """hidden_states: n + 1 arrays [B, L, D], embeddings first, last layer last; compute dtype."""

    hidden_states: tuple[jax.Array, ...]


class BertLayer(nnx.Module):
    """norm(x + attention(x)), then norm(x + mlp(x))."""

    def __init__(self, options: BertOptions, *, rngs: nnx.Rngs) -> None:
        width, dtype = options.width, options.dtype
        init = nnx.initializers.normal(options.init_std)
        self.dropout = options.dropout
        self.attn = SelfAttention(
            width,
            options.heads,
            dropout_rate=options.dropout,
            kernel_init=init,
            dtype=dtype,
            implementation=options.attention,
            rngs=rngs,
        )
        self.norm1 = layer_norm(width, options.epsilon, dtype, rngs)
        self.mlp = Mlp(width, options.mlp, kernel_init=init, dtype=dtype, rngs=rngs)
        self.norm2 = layer_norm(width, options.epsilon, dtype, rngs)

    def __call__(
        self,
        x: Float[jax.Array, "B L D"],
        mask: Mask[Array, "B L"],
        *,
        keys: Key[jax.Array, " B"] | None = None,
    ) -> Float[jax.Array, "B L D"]:
        """[B, L, D], bool [B, L] -> [B, L, D]; `keys` [B] switch dropout on."""
        attended = self.attn(x, mask, keys=keys)
        x = self.norm1(x + dropout(attended, self.dropout, keys, 1))
        return self.norm2(x + dropout(self.mlp(x), self.dropout, keys, 2))


class Bert(nnx.Module):
    """Tokens to hidden states.

    Source: Devlin et al. 2019 (arXiv:1810.04805), as implemented by Hugging Face, without the
    pooler; every token has type 0.
    """

    def __init__(self, options: BertOptions, *, rngs: nnx.Rngs) -> None:
        self.options = options
        self.features = options.width
        init = nnx.initializers.normal(options.init_std)

        def table(rows: int, name: str | None) -> nnx.Param:
            values = init(rngs.params(), (rows, options.width), jnp.float32)
            return nnx.Param(values, axes=(name, "embed"))

        self.word_embeddings = table(options.vocabulary_size, "vocab")
        self.position_embeddings = table(options.max_length, "position")
        self.token_type_embeddings = table(options.token_types, None)
        self.norm = layer_norm(options.width, options.epsilon, options.dtype, rngs)
        self.layers = stack_layers(lambda r: BertLayer(options, rngs=r), options.depth, rngs)

    def __call__(
        self,
        tokens: Integer[Array, "B L"],
        token_mask: Mask[Array, "B L"],
        *,
        added: Float[Array, "B D"] | None = None,
        keys: Key[jax.Array, " B"] | None = None,
    ) -> BertOutput:
        """Encode tokens; padding changes no valid token's result.

        Args:
          tokens: int32 [B, L], L at most max_length, values in [0, vocabulary_size).
          token_mask: bool [B, L], false on padding.
          added: [B, D], a vector per example that joins every token behind the embeddings' norm
            and dropout, such as an image's (MRM, arXiv:2301.13155); None for none.
          keys: [B] typed PRNG keys, one per example, for dropout; None switches it off.

        Raises:
          ValueError: the text is longer than max_length.
        """
        options, length = self.options, tokens.shape[1]
        if length > options.max_length:
            raise ValueError(f"texts have {length} tokens; this Bert takes {options.max_length}")
        x = self.word_embeddings[...][tokens]
        x = x + self.position_embeddings[...][:length] + self.token_type_embeddings[...][0]
        x = dropout(self.norm(x), options.dropout, keys, 0)
        if added is not None:
            x = x + added.astype(x.dtype)[:, None]

        def apply(layer: BertLayer, index: jax.Array, x: jax.Array, rows: Any) -> jax.Array:
            mask, keys = rows
            return layer(x, mask, keys=fold_keys(keys, index + 1))

        _, outputs = scan_layers(
            self.layers,
            apply,
            x,
            (token_mask, keys),
            remat=options.remat,
            unroll=options.unroll,
            slices=options.slices,
            every=True,
        )
        assert outputs is not None
        return BertOutput((x, *(outputs[i] for i in range(options.depth))))

    def attention(
        self, output: BertOutput, token_mask: Mask[Array, "B L"], layer: int = -1
    ) -> Float[jax.Array, "B H L L"]:
        """What each token attended to in one layer: float32 [B, H, L, L].

        Args:
          output: of the call. Dropout of attention weights in it is not repeated here.
          token_mask: as of the call.
          layer: in [-depth, depth).
        """
        number = range(self.options.depth)[layer]
        graphdef, parameters = nnx.split(self.layers.attn)
        attn = nnx.merge(graphdef, jax.tree.map(lambda x: x[number], parameters))
        return attn.maps(output.hidden_states[number], token_mask)
