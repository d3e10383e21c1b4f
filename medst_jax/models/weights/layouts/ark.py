# SPDX-License-Identifier: Apache-2.0
"""The names of Ark and Ark+: timm's Swin transformer with heads for each training set."""

import math
from typing import Any

from flax import nnx

from medst_jax.models.encoders.swin import Swin, SwinOptions
from medst_jax.models.weights.foreign import SAME, Slot, linear_slots, norm_slots, patch_kernel
from medst_jax.models.weights.kinds import LayoutError, Make, OptionsKind, Settings, Shapes

_BUFFERS = (".attn_mask", ".relative_position_index")
_HEADS = ("head.", "omni_heads.", "projector.")


class Ark(OptionsKind):
    """Layout "ark" of `Swin` under timm's names before version 0.8, which Ark was written with.

    There the merging of patches stands at the end of a stage.
    """

    module: type[nnx.Module] = Swin
    options_class: type[Any] = SwinOptions
    mark = "layers.0.downsample.norm.weight"
    prefixes: tuple[str, ...] = ("", "module.")
    later = 0  # number of the stage that a merging is counted to, less that of the one before it

    def slots(self, module: nnx.Module) -> list[Slot]:
        """One slot per tensor."""
        assert isinstance(module, Swin)
        options = module.options
        patch = patch_kernel(options.patch)
        slots = [
            Slot("patch_embed.proj.weight", ("patch_embed", "kernel"), patch, input_axis=1),
            Slot("patch_embed.proj.bias", ("patch_embed", "bias"), SAME),
            *norm_slots("patch_embed.norm", ("embed_norm",)),
            *norm_slots("norm", ("norm",)),
        ]
        for stage, depth in enumerate(options.depths):
            for layer in range(depth):
                slots += _layer_slots(f"layers.{stage}.blocks.{layer}", ("stages", stage, layer))
            if stage < len(options.depths) - 1:
                name, path = f"layers.{stage + self.later}.downsample", ("merges", stage)
                slots += norm_slots(f"{name}.norm", (*path, "norm"))
                slots += linear_slots(f"{name}.reduction", (*path, "reduction"), bias=False)
        return slots

    def ignored(self, name: str) -> bool:
        """The heads, and what is counted out of the image size."""
        return name.startswith(_HEADS) or name.endswith(_BUFFERS)

    def make(self, shapes: Shapes, settings: Settings, changes: Settings) -> Make:
        size = {k: v for k, v in changes.items() if k == "image_size"}
        return super().make(shapes, {**settings, **size}, changes)

    def options(self, shapes: Shapes, settings: Settings) -> SwinOptions:
        """Sizes read from the tensors; the image size from the masks of shifted windows."""
        width, channels, patch, _ = shapes["patch_embed.proj.weight"]
        places = [name.split(".") for name in shapes if name.startswith("layers.")]
        blocks = [(int(p[1]), int(p[3])) for p in places if p[2] == "blocks"]
        stages = 1 + max(stage for stage, _ in blocks)
        table = "layers.{}.blocks.0.attn.relative_position_bias_table"
        tables = [shapes[table.format(stage)] for stage in range(stages)]
        window = (math.isqrt(tables[0][0]) + 1) // 2
        return SwinOptions(
            image_size=_image_size(shapes, settings, window, patch),
            patch=patch,
            width=width,
            depths=tuple(1 + max(n for s, n in blocks if s == stage) for stage in range(stages)),
            heads=tuple(heads for _, heads in tables),
            window=window,
            mlp_ratio=shapes["layers.0.blocks.0.mlp.fc1.weight"][0] / width,
            channels=channels,
        )


class LaterArk(Ark):
    """The same under the names of timm 0.8 and later: merging at the start of the next stage."""

    mark = "layers.1.downsample.norm.weight"
    later = 1


def _image_size(shapes: Shapes, settings: Settings, window: int, patch: int) -> int:
    mask = shapes.get("layers.0.blocks.1.attn_mask")
    if "image_size" in settings:
        return int(settings["image_size"])
    if mask is None:
        raise LayoutError(
            "the image size leaves no trace in a file without attn_mask; give image_size=768 for "
            "Ark+ (224 for Ark), or a config.json with it beside the weights"
        )
    return math.isqrt(mask[0]) * window * patch


def _layer_slots(name: str, path: tuple[Any, ...]) -> list[Slot]:
    table = "attn.relative_position_bias_table"
    slots = [Slot(f"{name}.{table}", (*path, "attn", "position_bias"), SAME)]
    for norm in ("norm1", "norm2"):
        slots += norm_slots(f"{name}.{norm}", (*path, norm))
    slots += linear_slots(f"{name}.attn.qkv", (*path, "attn", "qkv"))
    slots += linear_slots(f"{name}.attn.proj", (*path, "attn", "out"), inputs=2)
    for fc in ("fc1", "fc2"):
        slots += linear_slots(f"{name}.mlp.{fc}", (*path, "mlp", fc))
    return slots
