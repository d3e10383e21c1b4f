# SPDX-License-Identifier: Apache-2.0
"""A score of every image with every text: one side asks, the parts of the other answer.

Reference: Lai et al., "CARZero: Cross-Attention Alignment for Radiology Zero-Shot Classification",
CVPR 2024, arXiv:2402.17417; as in its release, the decoder is KAD's without attention among queries.
The same module serves both directions.
"""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.array_types import Array
from medst_jax.models.heads.chunked_scores import scores_in_chunks
from medst_jax.models.heads.query_decoder import QueryDecoder, QueryDecoderOptions, normal_linear
from medst_jax.parallel.placement import by_example


@dataclasses.dataclass(frozen=True)
class PairDecoderOptions:
    """Sizes of a decoder of pairs; every value is plain JSON.

    heads, depth, mlp: of the layers. hidden: inner widths of the perceptron that makes an answer a score.
    chunk: questions decoded at a time, see `scores_in_chunks`.
    """

    heads: int = 4
    depth: int = 4
    mlp: int = 1024
    hidden: tuple[int, ...] = (1024, 512, 256)
    chunk: int = 32
    dtype: str = "float32"


class PairDecoder(nnx.Module):
    """Questions and parts, through one shared layer norm, to answers; a perceptron with ReLU to scores.

    There is no dropout: a draw for a pair would follow a row's place in the batch.
    """

    def __init__(self, width: int, options: PairDecoderOptions, *, rngs: nnx.Rngs) -> None:
        """`width` D of questions and parts."""
        sizes = QueryDecoderOptions(
            width=width,
            heads=options.heads,
            depth=options.depth,
            mlp=options.mlp,
            self_attention=False,
            shared_norm=True,
            dropout=0.0,
            dtype=options.dtype,
        )
        self.decoder = QueryDecoder(sizes, rngs=rngs)
        widths = (width, *options.hidden, 1)
        self.linears = nnx.List([normal_linear(*pair, rngs) for pair in itertools.pairwise(widths)])

    def __call__(self, questions: jax.Array, parts: jax.Array, mask: Array) -> jax.Array:
        """Scores float32 [B, Q].

        Args:
          questions: [Q, D] for all examples, or [B, Q, D].
          parts: [B, P, D].
          mask: bool [B, P], false where there is no part; one at least is there.
        """
        answers = self.decoder(questions, parts, patch_mask=mask).features
        *inner, last = self.linears
        hidden = answers.astype(jnp.float32)
        for linear in inner:
            hidden = jax.nn.relu(linear(hidden))
        return last(hidden)[..., 0]

    def maps(self, questions: jax.Array, parts: jax.Array, mask: Array) -> jax.Array:
        """Which parts the questions attend to, float32 [B, Q, P], the mean over layers and heads."""
        maps = self.decoder(questions, parts, patch_mask=mask).maps
        return jnp.mean(maps.astype(jnp.float32), axis=0)


def decoded_pairs(
    decoder: PairDecoder, questions: jax.Array, parts: jax.Array, mask: jax.Array, chunk: int
) -> jax.Array:
    """Scores of every question with every example's parts, in memory linear in the batch.

    Args:
      decoder: the decoder.
      questions: [R, D].
      parts: [B, P, D].
      mask: bool [B, P].
      chunk: questions at a time.

    Returns:
      float32 [R, B].
    """

    def score(
        decoder: PairDecoder, known: tuple[jax.Array, jax.Array], block: jax.Array
    ) -> jax.Array:
        return decoder(block, *known).T

    return scores_in_chunks(score, decoder, (by_example(parts), by_example(mask)), questions, chunk)
