# SPDX-License-Identifier: Apache-2.0
"""torchvision's names of a ResNet (conv1, bn1, layer1.0.conv1, downsample.0, ...)."""

from typing import Any

import numpy as np
from flax import nnx

from medst_jax.models.encoders.resnet import ResNet, ResNetOptions
from medst_jax.models.weights.foreign import CONVOLUTION, SAME, Slot, variables
from medst_jax.models.weights.kinds import OptionsKind, Settings, Shapes

_LEAVES = {
    "kernel": ("weight", CONVOLUTION),
    "scale": ("weight", SAME),
    "bias": ("bias", SAME),
    "mean": ("running_mean", SAME),
    "var": ("running_var", SAME),
}


class Torchvision(OptionsKind):
    """Layout "torchvision" of `ResNet`; the ImageNet classifier `fc` has no counterpart here."""

    module: type[nnx.Module] = ResNet
    options_class: type[Any] = ResNetOptions
    mark = "conv1.weight"

    def slots(self, module: nnx.Module) -> list[Slot]:
        """The module's paths are torchvision's names up to the leaf."""
        slots = []
        for path in variables(module):
            leaf, form = _LEAVES[str(path[-1])]
            name = ".".join([*map(str, path[:-1]), leaf])
            input_axis = 1 if name == "conv1.weight" else None
            slots.append(Slot(name, path, form, input_axis=input_axis))
        return slots

    def ignored(self, name: str) -> bool:
        """Tensors of a torchvision file that carry nothing for the encoder."""
        return name.startswith("fc.") or name.endswith(".num_batches_tracked")

    def extra(self, module: nnx.Module) -> dict[str, np.ndarray]:
        """Counters that a strict `load_state_dict` wants."""
        norms = (slot.name for slot in self.slots(module) if slot.name.endswith("running_var"))
        return {
            name.replace("running_var", "num_batches_tracked"): np.zeros((), np.int64)
            for name in norms
        }

    def options(self, shapes: Shapes, settings: Settings) -> ResNetOptions:
        """Sizes read from the tensors; strides, which leave no trace, are torchvision's."""
        stages = 0
        while f"layer{stages + 1}.0.conv1.weight" in shapes:
            stages += 1
        numbers = range(1, stages + 1)
        stem_width, channels, kernel, _ = shapes["conv1.weight"]
        sizes: dict[str, Any] = dict(
            widths=tuple(shapes[f"layer{n}.0.conv1.weight"][0] for n in numbers),
            blocks=tuple(
                len({name.split(".")[1] for name in shapes if name.startswith(f"layer{n}.")})
                for n in numbers
            ),
            strides=(1, *(2,) * (stages - 1)),
            block="bottleneck" if "layer1.0.conv3.weight" in shapes else "basic",
            stem="imagenet" if kernel == 7 else "small",
        )
        return ResNetOptions(**sizes, stem_width=stem_width, channels=channels)
