# SPDX-License-Identifier: Apache-2.0
"""Med-ST's names of a ViT with two experts: timm's, and norm2_l and mlp_l for the lateral view."""

from flax import nnx

from medst_jax.models.foreign import Slot, linear_slots, norm_slots
from medst_jax.models.layout_timm import Timm, block_slots, stem_slots
from medst_jax.models.mixture_of_view_experts import MixtureOfViewExperts


class ViewExperts(Timm):
    """The image encoder of layout "medst"."""

    module: type[nnx.Module] = MixtureOfViewExperts
    mark = "blocks.0.mlp_l.fc1.weight"

    def slots(self, module: nnx.Module) -> list[Slot]:
        """timm's slots, and those of the lateral expert."""
        assert isinstance(module, MixtureOfViewExperts)
        found = self.stem(module)
        for layer in range(module.options.depth):
            name, path, index = f"blocks.{layer}", ("blocks",), (layer,)
            found += block_slots(name, layer)
            found += norm_slots(f"{name}.norm2_l", (*path, "norm2_l"), index)
            for linear in ("fc1", "fc2"):
                found += linear_slots(f"{name}.mlp_l.{linear}", (*path, "mlp_l", linear), index)
        return found

    def stem(self, module: MixtureOfViewExperts) -> list[Slot]:
        """Everything before and behind the blocks."""
        return stem_slots(module.options.patch)
