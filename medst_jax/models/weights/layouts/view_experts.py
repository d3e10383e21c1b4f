# SPDX-License-Identifier: Apache-2.0
"""Med-ST's names of a ViT with two experts: timm's, and norm2_l and mlp_l for the lateral view."""

from collections.abc import Mapping

import numpy as np
from flax import nnx

from medst_jax.models.encoders.mixture_of_view_experts import MixtureOfViewExperts
from medst_jax.models.weights.foreign import Path, Slot, linear_slots, norm_slots
from medst_jax.models.weights.layouts.timm import Timm, block_slots, stem_slots


class ViewExperts(Timm):
    """The image encoder of layout "medst"."""

    module: type[nnx.Module] = MixtureOfViewExperts
    mark = "blocks.0.mlp_l.fc1.weight"

    def slots(self, module: nnx.Module) -> list[Slot]:
        """timm's slots, and those of the lateral expert."""
        assert isinstance(module, MixtureOfViewExperts)
        slots = self.stem(module)
        for layer in range(module.options.depth):
            name, path, index = f"blocks.{layer}", ("blocks",), (layer,)
            slots += block_slots(name, layer)
            slots += norm_slots(f"{name}.norm2_l", (*path, "norm2_l"), index)
            for linear in ("fc1", "fc2"):
                slots += linear_slots(f"{name}.mlp_l.{linear}", (*path, "mlp_l", linear), index)
        return slots

    def stem(self, module: MixtureOfViewExperts) -> list[Slot]:
        """Everything before and behind the blocks."""
        return stem_slots(module.options.patch)


def experts_of_vit(arrays: Mapping[Path, np.ndarray]) -> dict[Path, np.ndarray]:
    """Arrays of view experts from those of a ViT of the same sizes: both experts are its MLPs.

    Med-ST's release starts from MGCA's ViT and leaves the lateral expert random, so that lateral
    images are first read by a net that has seen none.
    """
    copied = {"norm2": "norm2_l", "mlp": "mlp_l"}
    experts = dict(arrays)
    for path, value in arrays.items():
        if path[0] == "blocks" and path[1] in copied:
            experts[("blocks", copied[path[1]], *path[2:])] = value
    return experts
