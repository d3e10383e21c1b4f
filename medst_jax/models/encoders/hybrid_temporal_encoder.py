# SPDX-License-Identifier: Apache-2.0
"""A ResNet and a transformer pooler over a current image and, where there is one, a prior."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float, Key

from medst_jax.array_types import Array
from medst_jax.models.encoders.resnet import ResNet, ResNetOptions
from medst_jax.models.encoders.temporal_pooler import TemporalPooler


@dataclasses.dataclass(frozen=True)
class HybridTemporalOptions:
    """Sizes; every value is plain JSON.

    Attributes:
      backbone: of the ResNet that both images go through.
      width: of the tokens that are compared; the output is twice as wide.
      depth: layers of the pooler.
      heads: of its attention.
      dropout: of its tokens, attention and layers.
      path_rate: probability that a training example skips a branch of a layer.
    """

    backbone: ResNetOptions = dataclasses.field(default_factory=ResNetOptions.resnet50)
    width: int = 256
    depth: int = 3
    heads: int = 8
    dropout: float = 0.1
    path_rate: float = 0.25

    @property
    def channels(self) -> int:
        """Channels of the images."""
        return self.backbone.channels

    @classmethod
    def biovil_t(cls, channels: int = 3, **changes: Any) -> "HybridTemporalOptions":
        """ResNet-50 with a pooler of three layers of width 256."""
        return cls(**{**dict(backbone=ResNetOptions.resnet50(channels=channels)), **changes})

    @classmethod
    def small(cls, channels: int = 3, **changes: Any) -> "HybridTemporalOptions":
        """For 64 px on a CPU."""
        return cls(
            **{
                **dict(backbone=ResNetOptions.small(channels=channels), width=64, depth=1, heads=4),
                **changes,
            }
        )


class HybridTemporalOutput(NamedTuple):
    """grid: [B, h, w, 2E] in the compute dtype: the current image, then what changed."""

    grid: jax.Array

    @property
    def pooled(self) -> jax.Array:
        """Mean over the grid, float32 [B, 2E]."""
        return self.grid.astype(jnp.float32).mean((1, 2))

    @property
    def patches(self) -> jax.Array:
        """The grid in row order, [B, P, 2E]."""
        return self.grid.reshape(self.grid.shape[0], -1, self.grid.shape[-1])


class HybridTemporalEncoder(nnx.Module):
    """Current image and prior to patch features of what is there and what changed.

    Without a prior, what changed is one learned vector everywhere and the pooler does not run.

    Source: Bannur et al. 2023 (BioViL-T, arXiv:2301.04558).
    """

    def __init__(self, options: HybridTemporalOptions, *, rngs: nnx.Rngs) -> None:
        self.options = options
        self.features = 2 * options.width
        dtype = options.backbone.dtype
        self.backbone = ResNet(options.backbone, rngs=rngs)
        self.reduce = nnx.Linear(
            self.backbone.features,
            options.width,
            use_bias=False,
            dtype=dtype,
            kernel_metadata={"axes": ("conv_in", "embed")},
            rngs=rngs,
        )
        self.pooler = TemporalPooler(
            options.width,
            depth=options.depth,
            heads=options.heads,
            dropout_rate=options.dropout,
            path_rate=options.path_rate,
            dtype=dtype,
            rngs=rngs,
        )
        missing = nnx.initializers.truncated_normal(0.02)(
            rngs.params(), (options.width,), jnp.float32
        )
        self.missing_prior = nnx.Param(missing, axes=("embed",))

    def __call__(
        self,
        images: Float[Array, "B h w c"],
        prior: Float[Array, "B h w c"] | None = None,
        has_prior: Bool[Array, " B"] | None = None,
        *,
        keys: Key[jax.Array, " B"] | None = None,
        train: bool = False,
    ) -> HybridTemporalOutput:
        """Encode normalised images.

        Args:
          images: current ones, float32 [B, h, w, channels].
          prior: of the same shape, or None when no example has one.
          has_prior: bool [B], false where `prior` is absent; None for all present.
          keys: [B] typed PRNG keys, one per example, for dropout; None switches it off.
          train: normalise by the batch of both images and update the running statistics.

        Raises:
          ValueError: the images have another number of channels, or differ in shape.
        """
        if prior is None:
            static = self._static(images, train)
            change = jnp.broadcast_to(self.missing_prior[...].astype(static.dtype), static.shape)
            return HybridTemporalOutput(jnp.concatenate([static, change], axis=-1))
        if prior.shape != images.shape:
            raise ValueError(f"prior images are {prior.shape}, current ones {images.shape}")
        both = self._static(jnp.concatenate([images, prior]), train)
        static, before = jnp.split(both, 2)
        change = self.pooler(static, before, keys=keys)
        if has_prior is not None:
            missing = self.missing_prior[...].astype(change.dtype)
            change = jnp.where(has_prior[:, None, None, None], change, missing)
        return HybridTemporalOutput(jnp.concatenate([static, change], axis=-1))

    def _static(self, images: Array, train: bool) -> jax.Array:
        return self.reduce(self.backbone(images, train=train).stages[-1])
