# SPDX-License-Identifier: Apache-2.0
"""Hugging Face's names of a Swin transformer (encoder.layers.0.blocks.0.attention.self.query)."""

import math
from typing import Any

from flax import nnx

from medst_jax.models.encoders.swin import Swin, SwinOptions
from medst_jax.models.weights.foreign import (
    FLAT,
    SAME,
    Slot,
    linear_slots,
    matrix,
    norm_slots,
    patch_kernel,
)
from medst_jax.models.weights.kinds import LayoutError, OptionsKind, Settings, Shapes


class HuggingFaceSwin(OptionsKind):
    """Layout "hf-swin" of `Swin`, bare or with its classifier."""

    module: type[nnx.Module] = Swin
    options_class: type[Any] = SwinOptions
    mark = "embeddings.patch_embeddings.projection.weight"
    prefixes: tuple[str, ...] = ("", "swin.", "model.")

    def slots(self, module: nnx.Module) -> list[Slot]:
        """One slot per tensor; query, key and value are slices of one fused kernel."""
        assert isinstance(module, Swin)
        patch = patch_kernel(module.options.patch)
        name = "embeddings.patch_embeddings.projection"
        slots = [
            Slot(f"{name}.weight", ("patch_embed", "kernel"), patch, input_axis=1),
            Slot(f"{name}.bias", ("patch_embed", "bias"), SAME),
            *norm_slots("embeddings.norm", ("embed_norm",)),
            *norm_slots("layernorm", ("norm",)),
        ]
        last = len(module.options.depths) - 1
        for stage, depth in enumerate(module.options.depths):
            for layer in range(depth):
                prefix = f"encoder.layers.{stage}.blocks.{layer}"
                slots += _layer_slots(prefix, ("stages", stage, layer))
            if stage < last:
                name, path = f"encoder.layers.{stage}.downsample", ("merges", stage)
                slots += norm_slots(f"{name}.norm", (*path, "norm"))
                slots += linear_slots(f"{name}.reduction", (*path, "reduction"), bias=False)
        return slots

    def ignored(self, name: str) -> bool:
        """The classifier, and the table of offsets that older files hold."""
        return name.startswith("classifier.") or name.endswith(".relative_position_index")

    def check(self, module: nnx.Module, settings: Settings) -> None:
        """One activation is computed; the heads stand in the tables of offsets."""
        del module
        _check_activation(settings)

    def options(self, shapes: Shapes, settings: Settings) -> SwinOptions:
        """Sizes read from the tensors; the image size, if absent from the settings, is 224."""
        _check_activation(settings)
        width, channels, patch, _ = shapes["embeddings.patch_embeddings.projection.weight"]
        names = [name.split(".") for name in shapes if name.startswith("encoder.layers.")]
        stages = 1 + max(int(parts[2]) for parts in names)
        depths = tuple(
            1 + max(int(p[4]) for p in names if int(p[2]) == s and p[3] == "blocks")
            for s in range(stages)
        )
        biases = [
            shapes[f"encoder.layers.{s}.blocks.0.attention.self.relative_position_bias_table"]
            for s in range(stages)
        ]
        hidden = shapes["encoder.layers.0.blocks.0.intermediate.dense.weight"][0]
        return SwinOptions(
            image_size=settings.get("image_size", 224),
            patch=patch,
            width=width,
            depths=depths,
            heads=tuple(bias[1] for bias in biases),
            window=(math.isqrt(biases[0][0]) + 1) // 2,
            mlp_ratio=hidden / width,
            channels=channels,
            path_rate=settings.get("drop_path_rate", 0.1),
            epsilon=settings.get("layer_norm_eps", 1e-5),
        )


def _check_activation(settings: Settings) -> None:
    activation = settings.get("hidden_act", "gelu")
    if activation != "gelu":
        raise LayoutError(f"hidden_act is {activation!r}; this Swin computes gelu (erf)")


def _layer_slots(name: str, path: tuple[Any, ...]) -> list[Slot]:
    slots = []
    attention = (*path, "attn")
    for part, key in enumerate(("query", "key", "value")):
        foreign_name = f"{name}.attention.self.{key}"
        kernel, bias = (*attention, "qkv", "kernel"), (*attention, "qkv", "bias")
        slots.append(Slot(f"{foreign_name}.weight", kernel, matrix(1), (slice(None), part)))
        slots.append(Slot(f"{foreign_name}.bias", bias, FLAT, (part,)))
    table = f"{name}.attention.self.relative_position_bias_table"
    slots.append(Slot(table, (*attention, "position_bias"), SAME))
    slots += linear_slots(f"{name}.attention.output.dense", (*attention, "out"), inputs=2)
    slots += linear_slots(f"{name}.intermediate.dense", (*path, "mlp", "fc1"))
    slots += linear_slots(f"{name}.output.dense", (*path, "mlp", "fc2"))
    slots += norm_slots(f"{name}.layernorm_before", (*path, "norm1"))
    slots += norm_slots(f"{name}.layernorm_after", (*path, "norm2"))
    return slots
