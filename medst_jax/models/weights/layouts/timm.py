# SPDX-License-Identifier: Apache-2.0
"""timm's names of a vision transformer (cls_token, blocks.0.attn.qkv, norm, ...)."""

import math
from functools import partial
from typing import Any

from flax import nnx

from medst_jax.models.encoders.vit import ViT, ViTOptions
from medst_jax.models.weights.foreign import SAME, Slot, linear_slots, norm_slots, patch_kernel
from medst_jax.models.weights.kinds import (
    LayoutError,
    OptionsKind,
    Settings,
    Shapes,
    configured_heads,
    count,
    heads,
    known_activation,
    part_of,
    stored_options,
)
from medst_jax.models.weights.positions import resize_grid


class Timm(OptionsKind):
    """Layout "timm" of `ViT`; the classifier `head` has no counterpart here."""

    module: type[nnx.Module] = ViT
    options_class: type[Any] = ViTOptions
    mark = "patch_embed.proj.weight"

    def slots(self, module: nnx.Module) -> list[Slot]:
        """One slot per timm tensor; those of block N are slices N of the stacked layers."""
        assert isinstance(module, ViT)
        options = module.options
        if options.gated or options.rotary or not options.qkv_bias or options.pooling == "mean":
            raise LayoutError(f"timm has no names for a ViT with {', '.join(options.further)}")
        pooled = options.pooling == "map"
        slots = stem_slots(options.patch, leading=0 if pooled else 1)
        if pooled:
            slots += _pool_slots()
        if options.registers:  # by the name of DINOv2's own files
            slots.append(Slot("register_tokens", ("register_tokens",), SAME))
        for layer in range(options.depth):
            slots += block_slots(f"blocks.{layer}", layer)
            for number in "12" if options.layer_scale else "":
                path = ("blocks", f"scale{number}")
                slots.append(Slot(f"blocks.{layer}.ls{number}.gamma", path, SAME, (layer,)))
        return slots

    def ignored(self, name: str) -> bool:
        """Tensors of a timm file that carry nothing for the encoder."""
        return name.startswith("head.") or name == "mask_token"

    def options(self, shapes: Shapes, settings: Settings) -> ViTOptions:
        """Sizes read from the tensors; heads from the settings, else 64 wide as in timm."""
        width, channels, patch, _ = shapes["patch_embed.proj.weight"]
        pooled = "attn_pool.latent" in shapes
        if "reg_token" in shapes:
            raise LayoutError(
                "timm keeps DINOv2's class token with its position added up; take a file of the "
                "original names (register_tokens) or Hugging Face's with layout 'hf-dinov2'"
            )
        hidden = shapes["blocks.0.mlp.fc1.weight"][0]
        return ViTOptions(
            patch=patch,
            width=width,
            depth=count(part_of(shapes, "blocks."), ".norm1.weight"),
            heads=_wide_heads(width, settings) or heads(width, settings),
            mlp_ratio=hidden / width,
            image_size=math.isqrt(shapes["pos_embed"][1] - (not pooled)) * patch,
            channels=channels,
            pooling="map" if pooled else "cls",
            activation=_activation(settings, pooled),
            registers=shapes.get("register_tokens", (1, 0))[1],
            layer_scale=1.0 if "blocks.0.ls1.gamma" in shapes else 0.0,
        )

    def check(self, module: nnx.Module, settings: Settings) -> None:
        super().check(module, settings)
        if not isinstance(module, ViT) or stored_options(settings) is not None:
            return
        told = _activation(settings, module.options.pooling == "map")
        if told != module.options.activation:
            raise LayoutError(
                f"its config is of a ViT with {told}, the module's is {module.options.activation}"
            )


class Mrm(Timm):
    """Layout "mrm": MRM's encoder; its decoder of patches and its report encoder are left out."""

    def ignored(self, name: str) -> bool:
        return super().ignored(name) or name.startswith(("decoder_", "bert_encoder.", "bert_mlp."))


# Models whose heads are not 64 wide, by part of the name and width; the first that fits.
_WIDE = (
    *(("dinov2", 1536, 24), ("so400m", 1152, 16), ("giantopt", 1536, 16)),
    *(("huge", 1280, 16), ("giant", 1408, 16), ("gigantic", 1664, 16)),
)


def _wide_heads(width: int, settings: Settings) -> int | None:
    """The heads of timm's wide models, whose config names the architecture alone."""
    name = str(settings.get("architecture", ""))
    if configured_heads(settings) is not None:
        return None
    return next((h for part, size, h in _WIDE if part in name and size == width), None)


def _activation(settings: Settings, pooled: bool) -> Any:
    """timm names CLIP's quick GELU in the architecture, others in the arguments.

    Its SigLIP models, the ones with an attention pool, use the approximate GELU.
    """
    if "quickgelu" in str(settings.get("architecture", "")):
        return "quick_gelu"
    arguments = settings.get("model_args") or {}
    return known_activation(arguments.get("act_layer", "gelu_tanh" if pooled else "gelu"))


def stem_slots(patch: int, leading: int = 1) -> list[Slot]:
    """Everything before and behind the blocks: patches of `patch` pixels, `leading` class tokens."""
    return [
        *([Slot("cls_token", ("cls_token",), SAME)] if leading else []),
        Slot("pos_embed", ("pos_embed",), SAME, resize=partial(resize_grid, leading=leading)),
        Slot(
            "patch_embed.proj.weight", ("patch_embed", "kernel"), patch_kernel(patch), input_axis=1
        ),
        Slot("patch_embed.proj.bias", ("patch_embed", "bias"), SAME),
        *norm_slots("norm", ("norm",)),
    ]


def block_slots(name: str, layer: int) -> list[Slot]:
    """The tensors of one pre-norm layer, slices `layer` of the stack."""
    linears = (
        ("attn.qkv", "attn", "qkv", 1),
        ("attn.proj", "attn", "out", 2),
        ("mlp.fc1", "mlp", "fc1", 1),
        ("mlp.fc2", "mlp", "fc2", 1),
    )
    slots: list[Slot] = []
    for norm in ("norm1", "norm2"):
        slots += norm_slots(f"{name}.{norm}", ("blocks", norm), (layer,))
    for foreign_name, part, linear, inputs in linears:
        path = ("blocks", part, linear)
        slots += linear_slots(f"{name}.{foreign_name}", path, (layer,), inputs=inputs)
    return slots


def _pool_slots() -> list[Slot]:
    """timm's AttentionPoolLatent."""
    slots = [
        Slot("attn_pool.latent", ("attn_pool", "latent"), SAME),
        *norm_slots("attn_pool.norm", ("attn_pool", "norm")),
    ]
    for name, inputs in (("q", 1), ("kv", 1), ("proj", 2), ("mlp.fc1", 1), ("mlp.fc2", 1)):
        path = ("attn_pool", *name.split("."))
        slots += linear_slots(f"attn_pool.{name}", path, inputs=inputs)
    return slots
