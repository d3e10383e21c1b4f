# SPDX-License-Identifier: Apache-2.0
"""Names of view experts on a ResNet's map: timm's of a hybrid around torchvision's of the ResNet."""

from typing import Any

import numpy as np
from flax import nnx

from medst_jax.models.encoders.hybrid_view_experts import (
    HybridViewExperts,
    HybridViewExpertsOptions,
)
from medst_jax.models.encoders.mixture_of_view_experts import MixtureOfViewExperts
from medst_jax.models.weights.foreign import SAME, Slot, point_kernel, under
from medst_jax.models.weights.kinds import LayoutError, Settings, Shapes
from medst_jax.models.weights.layouts.timm import stem_slots
from medst_jax.models.weights.layouts.torchvision import Torchvision
from medst_jax.models.weights.layouts.view_experts import ViewExperts

_BACKBONE = "patch_embed.backbone."
_RESNET = Torchvision()


class HybridExperts(ViewExperts):
    """The hybrid image encoder of layout "medst", which Med-ST's release does not have."""

    module: type[nnx.Module] = HybridViewExperts
    options_class: type[Any] = HybridViewExpertsOptions
    mark = _BACKBONE + _RESNET.mark

    def stem(self, module: MixtureOfViewExperts) -> list[Slot]:
        assert isinstance(module, HybridViewExperts)
        backbone = _RESNET.slots(module.patch_embed.backbone)
        projection = ("patch_embed", "proj")
        return [
            *(s for s in stem_slots(1) if not s.name.startswith("patch_embed.")),
            *under(backbone, _BACKBONE, ("patch_embed", "backbone")),
            Slot("patch_embed.proj.weight", (*projection, "kernel"), point_kernel(2)),
            Slot("patch_embed.proj.bias", (*projection, "bias"), SAME),
        ]

    def ignored(self, name: str) -> bool:
        return _RESNET.ignored(name.removeprefix(_BACKBONE)) or super().ignored(name)

    def extra(self, module: nnx.Module) -> dict[str, np.ndarray]:
        assert isinstance(module, HybridViewExperts)
        counters = _RESNET.extra(module.patch_embed.backbone)
        return {_BACKBONE + name: value for name, value in counters.items()}

    def options(self, shapes: Shapes, settings: Settings) -> Any:
        raise LayoutError(
            "strides of a hybrid leave no trace in its tensors; put the config.json that was "
            "exported with them beside the weights"
        )
