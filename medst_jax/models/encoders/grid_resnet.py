# SPDX-License-Identifier: Apache-2.0
"""The small residual nets of the edema papers, with their grid of local features."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float, Key

from medst_jax.array_types import Array
from medst_jax.models.encoders.resnet import ResNet, ResNetOptions


def grid_resnet_options(size: int, **changes: Any) -> ResNetOptions:
    """Sizes of the net for images of `size` pixels: 256, 512, 1024 or 2048.

    Two basic blocks a stage, every stage halves the map, which ends as 4 x 4 x 192.

    Raises:
      ValueError: another size.
    """
    plans = {
        256: ("full", (8, 16, 32, 64, 128, 192)),
        512: ("small", (8, 16, 32, 64, 128, 192)),
        1024: ("half", (8, 16, 32, 64, 128, 192, 192)),
        2048: ("wide", (8, 16, 32, 64, 128, 192, 192)),
    }
    if size not in plans:
        raise ValueError(f"size is {size}; known: {', '.join(map(str, plans))}")
    stem, widths = plans[size]
    sizes: dict[str, Any] = dict(
        widths=widths,
        blocks=(2,) * len(widths),
        strides=(2,) * len(widths),
        block="basic",
        stem=stem,
        stem_width=8,
        channels=1,
    )
    return ResNetOptions(**{**sizes, **changes})


class GridResNetOutput(NamedTuple):
    """stages: as of `ResNetOutput`; grid: [B, 8, 8, 128] before the last halving at 256 px;
    pooled: float32 [B, 768], the last map averaged in blocks of 2 x 2 and laid out flat.
    """

    stages: tuple[jax.Array, ...]
    grid: jax.Array
    pooled: jax.Array

    @property
    def patches(self) -> jax.Array:
        """The local features in row order, [B, P, D]."""
        return self.grid.reshape(self.grid.shape[0], -1, self.grid.shape[-1])


class GridResNet(nnx.Module):
    """Images to a flat vector of four regions and an 8 x 8 grid of local features.

    Source: Liao et al. 2021, "Multimodal Representation Learning via Maximization of Local
    Mutual Information" (arXiv:2103.04537), and Chauhan et al. 2020 (arXiv:2008.09884).
    """

    def __init__(self, options: ResNetOptions, *, rngs: nnx.Rngs) -> None:
        self.options = options
        self.trunk = ResNet(options, rngs=rngs)
        self.features = 4 * self.trunk.features

    def __call__(
        self,
        images: Float[Array, "B h w c"],
        *,
        keys: Key[jax.Array, " B"] | None = None,
        train: bool = False,
    ) -> GridResNetOutput:
        """Encode images, float32 [B, h, w, 1], as `ResNet` does.

        Raises:
          ValueError: the last map is not 4 x 4.
        """
        stages = self.trunk(images, keys=keys, train=train).stages
        batch, height, width, features = stages[-1].shape
        if (height, width) != (4, 4):
            raise ValueError(
                f"images of {images.shape[1:3]} end as a map of {height} x {width}; it must be "
                "4 x 4: choose the net by grid_resnet_options(size)"
            )
        blocks = stages[-1].astype(jnp.float32).reshape(batch, 2, 2, 2, 2, features).mean((2, 4))
        # Channels go first, as PyTorch flattens, so that classifiers carry over.
        pooled = blocks.transpose(0, 3, 1, 2).reshape(batch, -1)
        return GridResNetOutput(stages, stages[-2], pooled)
