# SPDX-License-Identifier: Apache-2.0
"""Critics that score image-text pairs, all pairs of a batch at once and in linear memory.

Reference: Liao et al., arXiv:2103.04537, section 2: a perceptron on the concatenated pair. Its
first layer is a sum of one map of each side, so the pair is never concatenated.
"""

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.models.heads.chunked_scores import scores_in_chunks
from medst_jax.parallel.placement import by_example

_kernel = nnx.initializers.variance_scaling(1 / 3, "fan_in", "uniform")  # torch.nn.Linear
CriticName = Literal["mlp", "bilinear"]


@dataclasses.dataclass(frozen=True)
class CriticOptions:
    """name: "mlp" (`hidden` two widths) or "bilinear" (`rank` R of the form x^T U V^T y).

    chunk: texts scored at a time; the backward pass recomputes a chunk's hidden layers, so that
      memory grows with chunk * B instead of B * B.
    """

    name: CriticName = "mlp"
    hidden: tuple[int, int] = (1024, 512)
    rank: int = 256
    chunk: int = 64


class MlpCritic(nnx.Module):
    """T(x, y): (D_x + D_y) -> hidden -> hidden -> 1 with ReLU between."""

    def __init__(self, image: int, text: int, options: CriticOptions, *, rngs: nnx.Rngs) -> None:
        """`image` and `text` are the feature widths D_x, D_y."""
        first, second = options.hidden
        self.image = _linear(image, first, "mlp", rngs)
        self.text = _linear(text, first, "mlp", rngs, bias=False)
        self.middle = _linear(first, second, "mlp", rngs)
        self.last = _linear(second, 1, None, rngs)

    def sides(self, images: jax.Array, texts: jax.Array) -> tuple[jax.Array, jax.Array]:
        """What is computed once per image [..., D_x] and per text [..., D_y]."""
        return self.image(images.astype(jnp.float32)), self.text(texts.astype(jnp.float32))

    def combine(self, images: jax.Array, texts: jax.Array) -> jax.Array:
        """Scores float32 [R, B, N] of the sides of images [B, N, F] and of texts [R, F]."""
        hidden = jax.nn.relu(images + texts[:, None, None])
        return self.last(jax.nn.relu(self.middle(hidden)))[..., 0]


class BilinearCritic(nnx.Module):
    """T(x, y) = (U x) . (V y) / sqrt(R): one product per pair, for large batches."""

    def __init__(self, image: int, text: int, options: CriticOptions, *, rngs: nnx.Rngs) -> None:
        """`image` and `text` are the feature widths D_x, D_y."""
        self.image = _linear(image, options.rank, "joint", rngs)
        self.text = _linear(text, options.rank, "joint", rngs)
        self.scale = options.rank**-0.5

    def sides(self, images: jax.Array, texts: jax.Array) -> tuple[jax.Array, jax.Array]:
        """What is computed once per image [..., D_x] and per text [..., D_y]."""
        return self.image(images.astype(jnp.float32)), self.text(texts.astype(jnp.float32))

    def combine(self, images: jax.Array, texts: jax.Array) -> jax.Array:
        """Scores float32 [R, B, N] of the sides of images [B, N, F] and of texts [R, F]."""
        return jnp.einsum("bnf,rf->rbn", images, texts) * self.scale


CRITICS: dict[str, type[MlpCritic] | type[BilinearCritic]] = {
    "mlp": MlpCritic,
    "bilinear": BilinearCritic,
}
Critic = MlpCritic | BilinearCritic


def pair_scores(critic: Critic, images: jax.Array, texts: jax.Array, chunk: int) -> jax.Array:
    """Scores of every text with every image.

    Args:
      critic: the critic.
      images: [B, D_x], or [B, N, D_x] with regions, of which the best one counts.
      texts: [R, D_y].
      chunk: texts at a time.

    Returns:
      float32 [R, B].
    """
    regions = images[:, None] if images.ndim == 2 else images
    image_side, text_side = critic.sides(regions, texts)
    return scores_in_chunks(_best_scores, critic, by_example(image_side), text_side, chunk)


def _best_scores(critic: Critic, images: jax.Array, texts: jax.Array) -> jax.Array:
    return jnp.max(critic.combine(images, texts), axis=2)


def _linear(
    features: int, size: int, axis: str | None, rngs: nnx.Rngs, *, bias: bool = True
) -> nnx.Linear:
    return nnx.Linear(
        features,
        size,
        use_bias=bias,
        kernel_init=_kernel,
        kernel_metadata={"axes": ("embed", axis)},
        bias_metadata={"axes": (axis,)},
        rngs=rngs,
    )
