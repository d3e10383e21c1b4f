# SPDX-License-Identifier: Apache-2.0
"""View experts over the map of a ResNet in place of patches of pixels."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from medst_jax.array_types import Array
from medst_jax.models.encoders.mixture_of_view_experts import MixtureOfViewExperts
from medst_jax.models.encoders.resnet import ResNet, ResNetOptions
from medst_jax.models.encoders.vit import ViTOptions


@dataclasses.dataclass(frozen=True)
class HybridViewExpertsOptions(ViTOptions):
    """As ViTOptions; `patch` is the pixels between two cells of the map of `backbone`.

    `dtype` and `remat` are of the layers; the backbone has its own.
    """

    patch: int = 32
    backbone: ResNetOptions = dataclasses.field(default_factory=ResNetOptions.resnet50)

    def __post_init__(self) -> None:
        super().__post_init__()
        stride = self.backbone.stride
        if stride != self.patch or self.backbone.channels != self.channels:
            raise ValueError(
                f"the backbone's cells are {stride} pixels apart and it takes "
                f"{self.backbone.channels} channels; patch is {self.patch}, channels {self.channels}"
            )

    @classmethod
    def small(cls, **changes: Any) -> "HybridViewExpertsOptions":
        """For 64 px on a CPU: 16 cells of four basic blocks, one layer of width 96."""
        backbone = ResNetOptions.small(
            widths=(16, 32, 64, 128),
            strides=(2, 2, 2, 1),
            stem_width=12,
            channels=changes.get("channels", 3),
        )
        sizes: dict[str, Any] = dict(
            patch=16, width=96, depth=1, heads=3, mlp_ratio=2.0, image_size=64, backbone=backbone
        )
        return cls(**{**sizes, **changes})


class HybridPatchEmbedding(nnx.Module):
    """Images to the cells of a ResNet's last map, projected: [B, P, D], in row order."""

    def __init__(self, options: HybridViewExpertsOptions, *, rngs: nnx.Rngs) -> None:
        self.backbone = ResNet(options.backbone, rngs=rngs)
        self.proj = nnx.Linear(
            self.backbone.features,
            options.width,
            dtype=options.dtype,
            kernel_metadata={"axes": ("conv_in", "embed")},
            bias_metadata={"axes": ("embed",)},
            rngs=rngs,
        )

    def __call__(
        self, images: Float[Array, "B h w c"], *, train: bool = False
    ) -> Float[jax.Array, "B P D"]:
        return self.proj(self.backbone(images, train=train).patches)


class HybridViewExperts(MixtureOfViewExperts):
    """Med-ST's view experts on a ResNet's map: a ViT learns slowly from few images.

    A study is the mean over the patches of its views: the class token learns slowly too. Both
    views go through the ResNet in one batch, so that its statistics are those of both; in the
    place of an absent lateral image stands the frontal one, which is not attended to.

    Source: the hybrid of Dosovitskiy et al. 2021 (arXiv:2010.11929, section 3.1).
    """

    patch_embed: HybridPatchEmbedding

    def _make_patch_embed(
        self, options: HybridViewExpertsOptions, rngs: nnx.Rngs
    ) -> HybridPatchEmbedding:
        return HybridPatchEmbedding(options, rngs=rngs)

    def _embed_views(
        self,
        frontal: Array,
        lateral: Array | None,
        has_lateral: Array | None,
        train: bool,
    ) -> tuple[jax.Array, jax.Array | None]:
        self._check_size(frontal)
        if lateral is None:
            return self._place(self.patch_embed(frontal, train=train)), None
        self._check_size(lateral)
        if has_lateral is not None:
            lateral = jnp.where(has_lateral[:, None, None, None], lateral, frontal)
        # Views of a study side by side: no row leaves the chip that holds it.
        both = jnp.stack([frontal, lateral], axis=1).reshape(-1, *frontal.shape[1:])
        x = self.patch_embed(both, train=train)
        x = x.reshape(len(frontal), 2, *x.shape[1:])
        return self._place(x[:, 0]), self._place(x[:, 1])

    def _pool(self, tokens: jax.Array, mask: jax.Array | None) -> jax.Array:
        patches = tokens[:, 1:].astype(jnp.float32)
        exists = jnp.ones(patches.shape[:2], bool) if mask is None else mask[:, 1:]
        return jnp.mean(patches, axis=1, where=exists[..., None])
