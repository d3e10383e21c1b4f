# SPDX-License-Identifier: Apache-2.0
"""BERT's head that predicts masked tokens, tied to the word embeddings."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.models.encoders.bert import Bert, BertOptions, BertOutput
from medst_jax.models.layers.attention import gelu, layer_norm


class MaskedLanguageHead(nnx.Module):
    """Linear, GELU, norm, then the product with the word embeddings and a bias per word.

    Source: Devlin et al. 2019 (arXiv:1810.04805), as implemented by Hugging Face.
    """

    def __init__(self, options: BertOptions, *, rngs: nnx.Rngs) -> None:
        width, dtype = options.width, options.dtype
        self.transform = nnx.Linear(
            width,
            width,
            kernel_init=nnx.initializers.normal(options.init_std),
            dtype=dtype,
            kernel_metadata={"axes": ("embed", "mlp")},
            bias_metadata={"axes": ("mlp",)},
            rngs=rngs,
        )
        self.norm = layer_norm(width, options.epsilon, dtype, rngs)
        self.bias = nnx.Param(jnp.zeros(options.vocabulary_size), axes=("vocab",))

    def __call__(self, x: jax.Array, word_embeddings: jax.Array) -> jax.Array:
        """Hidden states [..., D] and the table [V, D] to float32 logits [..., V]."""
        x = self.norm(gelu(self.transform(x)))
        logits = jnp.einsum("...d,vd->...v", x, word_embeddings.astype(x.dtype))
        return logits.astype(jnp.float32) + self.bias[...]


class MaskedLanguageOutput(NamedTuple):
    """hidden_states: as of `BertOutput`; logits: float32 [B, L, V]."""

    hidden_states: tuple[jax.Array, ...]
    logits: jax.Array


class MaskedLanguageBert(nnx.Module):
    """A BERT encoder and its masked-language head."""

    def __init__(self, options: BertOptions, *, rngs: nnx.Rngs) -> None:
        self.options = options
        self.features = options.width
        self.encoder = Bert(options, rngs=rngs)
        self.head = MaskedLanguageHead(options, rngs=rngs)

    def __call__(
        self, tokens: jax.Array, token_mask: jax.Array, *, keys: jax.Array | None = None
    ) -> MaskedLanguageOutput:
        """As `Bert`, with the logits of every position."""
        states = self.encoder(tokens, token_mask, keys=keys).hidden_states
        return MaskedLanguageOutput(states, self.logits(states[-1]))

    def logits(self, x: jax.Array) -> jax.Array:
        """Hidden states [..., D] of the last layer to float32 logits [..., V].

        Gather the masked positions first: the logits of all are the largest array of a step.
        """
        return self.head(x, self.encoder.word_embeddings[...])

    def attention(self, output: Any, token_mask: jax.Array, layer: int = -1) -> jax.Array:
        """As `Bert.attention`."""
        return self.encoder.attention(BertOutput(output.hidden_states), token_mask, layer)
