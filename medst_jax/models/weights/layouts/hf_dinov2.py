# SPDX-License-Identifier: Apache-2.0
"""Hugging Face's names of DINOv2: facebook/dinov2-*, with registers too, and RAD-DINO."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

from flax import nnx

from medst_jax.models.encoders.vit import ViT, ViTOptions
from medst_jax.models.weights.foreign import (
    SAME,
    Path,
    Slot,
    linear_slots,
    norm_slots,
    patch_kernel,
)
from medst_jax.models.weights.kinds import LayoutError, Settings, Shapes, count
from medst_jax.models.weights.layouts.hf_layers import ConfiguredKind, split_attention_slots
from medst_jax.models.weights.positions import resize_grid

_LAYER = "encoder.layer"


class Dinov2(ConfiguredKind):
    """Layout "hf-dinov2" of `ViT`, bare or with its classifier."""

    module: type[nnx.Module] = ViT
    options_class: type[Any] = ViTOptions
    mark = f"{_LAYER}.0.layer_scale1.lambda1"
    prefixes: tuple[str, ...] = ("", "dinov2.", "dinov2_with_registers.")
    defaults: Mapping[str, Any] = {
        "num_attention_heads": 12,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-6,
    }

    def slots(self, module: nnx.Module) -> list[Slot]:
        """One slot per tensor; those of layer N are slices N of the stack."""
        assert isinstance(module, ViT)
        options = module.options
        _check(options)
        way: Any = "antialiased" if options.registers else "bicubic"
        patches = "embeddings.patch_embeddings.projection"
        slots = [
            *token_slots(options),
            Slot(
                "embeddings.position_embeddings",
                ("pos_embed",),
                SAME,
                resize=partial(resize_grid, leading=1, way=way),
            ),
            Slot(
                f"{patches}.weight",
                ("patch_embed", "kernel"),
                patch_kernel(options.patch),
                input_axis=1,
            ),
            Slot(f"{patches}.bias", ("patch_embed", "bias"), SAME),
            *norm_slots("layernorm", ("norm",)),
        ]
        for layer in range(options.depth):
            slots += _layer_slots(options, layer)
        return slots

    def ignored(self, name: str) -> bool:
        """The classifier, and the token of masked patches."""
        return name.startswith("classifier.") or name == "embeddings.mask_token"

    def traceless(self, settings: Settings) -> dict[str, Any]:
        values = super().traceless(settings)
        if self.told(settings).get("use_swiglu_ffn"):
            values["activation"] = "silu"  # whatever hidden_act says
        return values

    def options(self, shapes: Shapes, settings: Settings) -> ViTOptions:
        """Sizes read from the tensors; heads, activation and epsilon from the settings."""
        width, channels, patch, _ = shapes["embeddings.patch_embeddings.projection.weight"]
        gated = f"{_LAYER}.0.mlp.weights_in.weight" in shapes
        if gated != bool(self.told(settings).get("use_swiglu_ffn", False)):
            raise LayoutError(
                f"config.json says use_swiglu_ffn {not gated}, the tensors are those of {gated}"
            )
        hidden = f"{_LAYER}.0.mlp." + ("weights_out" if gated else "fc2") + ".weight"
        _, registers, _ = shapes.get("embeddings.register_tokens", (1, 0, width))
        return ViTOptions(
            patch=patch,
            width=width,
            depth=count(shapes, ".norm1.weight"),
            mlp_ratio=shapes[hidden][1] / width,
            image_size=math.isqrt(shapes["embeddings.position_embeddings"][1] - 1) * patch,
            channels=channels,
            registers=registers,
            layer_scale=1.0,
            gated=gated,
            qkv_bias=f"{_LAYER}.0.attention.attention.query.bias" in shapes,
            resize="antialiased" if registers else "bicubic",
            **self.traceless(settings),
        )


def token_slots(options: ViTOptions) -> list[Slot]:
    """Class token and registers, in DINOv2 and DINOv3."""
    slots = [Slot("embeddings.cls_token", ("cls_token",), SAME)]
    if options.registers:
        slots.append(Slot("embeddings.register_tokens", ("register_tokens",), SAME))
    return slots


def _check(options: ViTOptions) -> None:
    if options.pooling != "cls" or options.rotary or not options.layer_scale:
        raise LayoutError(
            'layout "hf-dinov2" is for a ViT with a class token, a table of positions and layer '
            f"scale; this one has pooling {options.pooling!r}, rotary {options.rotary}, "
            f"layer_scale {options.layer_scale}"
        )


def _layer_slots(options: ViTOptions, layer: int) -> list[Slot]:
    name, index = f"{_LAYER}.{layer}", (layer,)
    path: Path = ("blocks", "attn")
    keys = tuple(f"{name}.attention.attention.{key}" for key in ("query", "key", "value"))
    slots = [
        *split_attention_slots(keys, (*path, "qkv"), layer, biased=(options.qkv_bias,) * 3),  # type: ignore[arg-type]
        *linear_slots(f"{name}.attention.output.dense", (*path, "out"), index, inputs=2),
        *scale_slots(name, index),
    ]
    names = ("weights_in", "weights_out") if options.gated else ("fc1", "fc2")
    for own, foreign_name in zip(("fc1", "fc2"), names, strict=True):
        slots += linear_slots(f"{name}.mlp.{foreign_name}", ("blocks", "mlp", own), index)
    return slots


def scale_slots(name: str, index: tuple[int, ...]) -> list[Slot]:
    """Norms and layer scales of one layer, in DINOv2 and DINOv3."""
    slots: list[Slot] = []
    for number in ("1", "2"):
        slots += norm_slots(f"{name}.norm{number}", ("blocks", f"norm{number}"), index)
        factors = ("blocks", f"scale{number}")
        slots.append(Slot(f"{name}.layer_scale{number}.lambda1", factors, SAME, index))
    return slots
