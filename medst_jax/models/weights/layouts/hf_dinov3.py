# SPDX-License-Identifier: Apache-2.0
"""Hugging Face's names of DINOv3's vision transformers."""

from collections.abc import Mapping
from typing import Any

from flax import nnx

from medst_jax.models.encoders.vit import ViT, ViTOptions
from medst_jax.models.weights.foreign import SAME, Slot, linear_slots, norm_slots, patch_kernel
from medst_jax.models.weights.kinds import LayoutError, Settings, Shapes, count
from medst_jax.models.weights.layouts.hf_dinov2 import scale_slots, token_slots
from medst_jax.models.weights.layouts.hf_layers import (
    ConfiguredKind,
    part_slots,
    split_attention_slots,
)

_PATCHES = "embeddings.patch_embeddings"
# Sizes of the library's class; released folders write all of them.
_DEFAULTS: dict[str, Any] = {
    "num_attention_heads": 6,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-5,
    "rope_theta": 100.0,
    "image_size": 224,
}


class Dinov3(ConfiguredKind):
    """Layout "hf-dinov3" of `ViT`: rotary positions, registers, keys without bias."""

    module: type[nnx.Module] = ViT
    options_class: type[Any] = ViTOptions
    mark = "layer.0.attention.k_proj.weight"
    prefixes: tuple[str, ...] = ("", "dinov3_vit.", "model.")
    defaults: Mapping[str, Any] = _DEFAULTS

    def slots(self, module: nnx.Module) -> list[Slot]:
        """One slot per tensor; those of layer N are slices N of the stack."""
        assert isinstance(module, ViT)
        options = module.options
        if options.pooling != "cls" or not options.rotary or not options.layer_scale:
            raise LayoutError(
                'layout "hf-dinov3" is for a ViT with a class token, rotary positions and layer '
                f"scale; this one has pooling {options.pooling!r}, rotary {options.rotary}, "
                f"layer_scale {options.layer_scale}"
            )
        patch = patch_kernel(options.patch)
        slots = [
            *token_slots(options),
            Slot(f"{_PATCHES}.weight", ("patch_embed", "kernel"), patch, input_axis=1),
            Slot(f"{_PATCHES}.bias", ("patch_embed", "bias"), SAME),
            *norm_slots("norm", ("norm",)),
        ]
        for layer in range(options.depth):
            slots += _layer_slots(options, layer)
        return slots

    def ignored(self, name: str) -> bool:
        """The token of masked patches."""
        return name == "embeddings.mask_token"

    def traceless(self, settings: Settings) -> dict[str, Any]:
        return {**super().traceless(settings), "rotary": float(self.told(settings)["rope_theta"])}

    def options(self, shapes: Shapes, settings: Settings) -> ViTOptions:
        """Sizes read from the tensors; heads, activation, epsilon and base from the settings."""
        width, channels, patch, _ = shapes[f"{_PATCHES}.weight"]
        name = "layer.0.attention"
        if f"{name}.k_proj.bias" in shapes:
            raise LayoutError("its keys have a bias, which rotary attention here leaves out")
        biases = {f"{name}.{key}_proj.bias" in shapes for key in "qv"}
        if len(biases) > 1:
            raise LayoutError("queries and values must both have a bias, or neither")
        _, registers, _ = shapes.get("embeddings.register_tokens", (1, 0, width))
        size = int(self.told(settings)["image_size"])
        return ViTOptions(
            patch=patch,
            width=width,
            depth=count(shapes, ".norm1.weight"),
            mlp_ratio=shapes["layer.0.mlp.down_proj.weight"][1] / width,
            image_size=size // patch * patch,
            channels=channels,
            registers=registers,
            layer_scale=1.0,
            gated="layer.0.mlp.gate_proj.weight" in shapes,
            qkv_bias=biases == {True},
            **self.traceless(settings),
        )


def _layer_slots(options: ViTOptions, layer: int) -> list[Slot]:
    name, index = f"layer.{layer}", (layer,)
    keys = tuple(f"{name}.attention.{key}_proj" for key in "qkv")
    biased = (options.qkv_bias, False, options.qkv_bias)
    path = ("blocks", "attn")
    slots = [
        *split_attention_slots(keys, (*path, "qkv"), layer, biased=biased),  # type: ignore[arg-type]
        *linear_slots(f"{name}.attention.o_proj", (*path, "out"), index, inputs=2),
        *scale_slots(name, index),
        *linear_slots(f"{name}.mlp.down_proj", ("blocks", "mlp", "fc2"), index),
    ]
    mlp = ("blocks", "mlp", "fc1")
    if not options.gated:
        return [*slots, *linear_slots(f"{name}.mlp.up_proj", mlp, index)]
    for part, linear in enumerate(("gate_proj", "up_proj")):
        slots += part_slots(f"{name}.mlp.{linear}", mlp, layer, part)
    return slots
