# SPDX-License-Identifier: Apache-2.0
"""Hugging Face's names of SigLIP: SigLIP, SigLIP 2 of fixed size, MedSigLIP and their fine-tunings."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from medst_jax.models.encoders.text_transformer import TextTransformer, TextTransformerOptions
from medst_jax.models.encoders.towers import ImageTextModel, ImageTower, TextTower, last_position
from medst_jax.models.encoders.vit import ViT, ViTOptions
from medst_jax.models.heads.contrastive import Temperature
from medst_jax.models.heads.projection_heads import LinearHead, Unprojected
from medst_jax.models.weights.foreign import (
    FLAT,
    SAME,
    Slot,
    linear_slots,
    matrix,
    norm_slots,
    patch_kernel,
    reshaped,
)
from medst_jax.models.weights.kinds import Kind, Make, Settings, Shapes, count
from medst_jax.models.weights.layouts.hf_layers import (
    POSITIONS,
    TEXT,
    ConfiguredKind,
    text_tower_sizes,
    text_tower_slots,
    tower_layer_slots,
)
from medst_jax.models.weights.part_tables import (
    Part,
    PartsKind,
    changes_of,
    encoder_part,
    linear_head_slots,
    size_of,
)
from medst_jax.models.weights.positions import resize_grid

_IMAGE = "vision_model."
_DEFAULTS = {
    "num_attention_heads": 12,
    "hidden_act": "gelu_pytorch_tanh",
    "layer_norm_eps": 1e-6,
}


class SiglipVision(ConfiguredKind):
    """The image tower; without a `head.` its patches are averaged."""

    module: type[nnx.Module] = ViT
    options_class: type[Any] = ViTOptions
    mark = f"{_IMAGE}embeddings.patch_embedding.bias"
    defaults: Mapping[str, Any] = _DEFAULTS
    section = "vision_config"
    own_type = "siglip_vision_model"

    def slots(self, module: nnx.Module) -> list[Slot]:
        assert isinstance(module, ViT)
        options, embeddings = module.options, f"{_IMAGE}embeddings"
        resize = partial(resize_grid, leading=0, way="bicubic")
        table = reshaped(-1, options.width)
        slots = [
            Slot(
                f"{embeddings}.patch_embedding.weight",
                ("patch_embed", "kernel"),
                patch_kernel(options.patch),
                input_axis=1,
            ),
            Slot(f"{embeddings}.patch_embedding.bias", ("patch_embed", "bias"), SAME),
            Slot(f"{_IMAGE}{POSITIONS}", ("pos_embed",), table, resize=resize),
            *norm_slots(f"{_IMAGE}post_layernorm", ("norm",)),
            *tower_layer_slots(f"{_IMAGE}encoder.layers", "blocks", options.depth),
        ]
        return slots + (_pool_slots(options.width) if options.pooling == "map" else [])

    def ignored(self, name: str) -> bool:
        """The text tower, and the numbers of the positions that older files hold."""
        return not name.startswith(_IMAGE) or name.endswith(".position_ids")

    def options(self, shapes: Shapes, settings: Settings) -> ViTOptions:
        """Sizes read from the tensors; heads, activation and epsilon from the settings."""
        width, channels, patch, _ = shapes[f"{_IMAGE}embeddings.patch_embedding.weight"]
        pooled = f"{_IMAGE}head.probe" in shapes
        own = [name for name in shapes if name.startswith(_IMAGE)]
        return ViTOptions(
            patch=patch,
            width=width,
            depth=count(own, ".layer_norm1.weight"),
            mlp_ratio=shapes[f"{_IMAGE}encoder.layers.0.mlp.fc1.weight"][0] / width,
            image_size=math.isqrt(shapes[f"{_IMAGE}{POSITIONS}"][0]) * patch,
            channels=channels,
            pooling="map" if pooled else "mean",
            resize="bicubic",
            **self.traceless(settings),
        )


class SiglipLanguage(ConfiguredKind):
    """The text tower before its head."""

    module: type[nnx.Module] = TextTransformer
    options_class: type[Any] = TextTransformerOptions
    mark = f"{TEXT}embeddings.token_embedding.weight"
    defaults: Mapping[str, Any] = _DEFAULTS
    section = "text_config"
    own_type = "siglip_text_model"

    def slots(self, module: nnx.Module) -> list[Slot]:
        assert isinstance(module, TextTransformer)
        return text_tower_slots("position_embeddings", "layers", module.options.depth)

    def ignored(self, name: str) -> bool:
        return name.startswith(f"{TEXT}head.") or (
            not name.startswith(TEXT) or name.endswith(".position_ids")
        )

    def options(self, shapes: Shapes, settings: Settings) -> TextTransformerOptions:
        """Sizes read from the tensors; heads, activation and epsilon from the settings."""
        return TextTransformerOptions(
            **text_tower_sizes(shapes),
            padding="read",
            **self.traceless(settings),
        )


class Siglip(PartsKind):
    """Both towers, scale and bias of the logits: probabilities are sigmoid(scale * cos + bias)."""

    module: type[nnx.Module] = ImageTextModel
    mark = "logit_bias"
    vision, language = SiglipVision(), SiglipLanguage()

    def parts(self, module: Any) -> list[Part]:
        return [
            encoder_part("", ("image", "encoder"), self.vision),
            encoder_part("", ("text", "encoder"), self.language),
            Part(f"{TEXT}", ("text", "global_head"), linear_head_slots("head")),
            Part("logit_scale", ("further", "scale", "log_scale"), _one_number),
            Part("logit_bias", ("further", "bias"), _one_number),
        ]

    def encoders(self) -> list[tuple[str, Kind]]:
        return []  # both ignore what is not theirs, so neither may speak for the whole

    def ignored(self, name: str) -> bool:
        return name.endswith(".position_ids")

    def extra(self, module: nnx.Module) -> dict[str, np.ndarray]:
        return {}

    def make(self, shapes: Shapes, settings: Settings, changes: Settings) -> Make:
        of_image, of_text = changes_of(changes, ViTOptions, TextTransformerOptions)
        image = self.vision.make(shapes, settings, of_image)
        text = self.language.make(shapes, settings, of_text)
        sizes = size_of(shapes, f"{TEXT}head")
        return lambda rngs: ImageTextModel(
            ImageTower(image(rngs), Unprojected(), None),
            TextTower(text(rngs), last_position, LinearHead(*sizes, rngs=rngs), None),
            {
                # Released scales lie above 100, the bound of CLIP's.
                "scale": Temperature(highest=math.inf),
                "bias": nnx.Param(jnp.zeros((), jnp.float32), axes=()),
            },
        )


def _one_number(variable: Any) -> list[Slot]:
    """A number stored with one dimension."""
    return [Slot("", (), reshaped(1))]


def _pool_slots(width: int) -> list[Slot]:
    """PyTorch's attention with fused inputs, of which `AttentionPool` has queries apart."""
    name, path = f"{_IMAGE}head", ("attn_pool",)
    slots = [Slot(f"{name}.probe", (*path, "latent"), SAME)]
    for part, rows in (("q", (0, width)), ("kv", (width, 3 * width))):
        inputs = f"{name}.attention.in_proj_"
        slots.append(Slot(f"{inputs}weight", (*path, part, "kernel"), matrix(1), rows=rows))
        slots.append(Slot(f"{inputs}bias", (*path, part, "bias"), FLAT, rows=rows))
    slots += linear_slots(f"{name}.attention.out_proj", (*path, "proj"), inputs=2)
    slots += norm_slots(f"{name}.layernorm", (*path, "norm"))
    for fc in ("fc1", "fc2"):
        slots += linear_slots(f"{name}.mlp.{fc}", (*path, "mlp", fc))
    return slots
