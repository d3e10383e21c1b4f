# SPDX-License-Identifier: Apache-2.0
"""Hugging Face's names of CLIP: copies of OpenAI's and LAION's models and their fine-tunings."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from flax import nnx

from medst_jax.models.encoders.clip_transformer import (
    ClipImage,
    ClipImageOptions,
    ClipText,
    ClipTextOptions,
)
from medst_jax.models.encoders.towers import ImageTextModel
from medst_jax.models.heads.contrastive import Temperature
from medst_jax.models.weights.foreign import SAME, TRANSPOSED, Slot, norm_slots, patch_kernel
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
    scalar_part,
)
from medst_jax.models.weights.positions import resize_grid

_IMAGE = "vision_model."
_DEFAULTS = {"hidden_act": "quick_gelu", "layer_norm_eps": 1e-5}
# Old releases say so although their end token is another: they pool at the highest id.
_OLD_END = 2


class ClipVisionTower(ConfiguredKind):
    """The image tower with its projection."""

    module: type[nnx.Module] = ClipImage
    options_class: type[Any] = ClipImageOptions
    mark = f"{_IMAGE}embeddings.class_embedding"
    defaults: Mapping[str, Any] = {**_DEFAULTS, "num_attention_heads": 12}
    section = "vision_config"
    own_type = "clip_vision_model"

    def slots(self, module: nnx.Module) -> list[Slot]:
        assert isinstance(module, ClipImage)
        options, embeddings = module.options, f"{_IMAGE}embeddings"
        patch = patch_kernel(options.patch)
        resize = partial(resize_grid, leading=1, way="bicubic")
        return [
            Slot(f"{embeddings}.class_embedding", ("class_embedding",), SAME),
            Slot(
                f"{embeddings}.patch_embedding.weight",
                ("patch_embed", "kernel"),
                patch,
                input_axis=1,
            ),
            Slot(f"{_IMAGE}{POSITIONS}", ("positions",), SAME, resize=resize),
            *norm_slots(f"{_IMAGE}pre_layrnorm", ("norm_pre",)),  # spelt so
            *norm_slots(f"{_IMAGE}post_layernorm", ("norm",)),
            *tower_layer_slots(f"{_IMAGE}encoder.layers", "blocks", options.depth),
            Slot("visual_projection.weight", ("projection",), TRANSPOSED),
        ]

    def ignored(self, name: str) -> bool:
        """The text tower, and the numbers of the positions that older files hold."""
        return not name.startswith((_IMAGE, "visual_")) or name.endswith(".position_ids")

    def options(self, shapes: Shapes, settings: Settings) -> ClipImageOptions:
        """Sizes read from the tensors; heads, activation and epsilon from the settings."""
        width, channels, patch, _ = shapes[f"{_IMAGE}embeddings.patch_embedding.weight"]
        own = [name for name in shapes if name.startswith(_IMAGE)]
        return ClipImageOptions(
            patch=patch,
            width=width,
            depth=count(own, ".layer_norm1.weight"),
            mlp=shapes[f"{_IMAGE}encoder.layers.0.mlp.fc1.weight"][0],
            image_size=math.isqrt(shapes[f"{_IMAGE}{POSITIONS}"][0] - 1) * patch,
            channels=channels,
            joint=shapes["visual_projection.weight"][0],
            normed="class",
            resize="bicubic",
            **self.traceless(settings),
        )


class ClipTextTower(ConfiguredKind):
    """The text tower with its projection."""

    module: type[nnx.Module] = ClipText
    options_class: type[Any] = ClipTextOptions
    mark = f"{TEXT}embeddings.token_embedding.weight"
    defaults: Mapping[str, Any] = {**_DEFAULTS, "num_attention_heads": 8, "eos_token_id": 49_407}
    section = "text_config"
    own_type = "clip_text_model"

    def slots(self, module: nnx.Module) -> list[Slot]:
        assert isinstance(module, ClipText)
        return [
            *text_tower_slots("positions", "blocks", module.options.depth),
            Slot("text_projection.weight", ("projection",), TRANSPOSED),
        ]

    def ignored(self, name: str) -> bool:
        return not name.startswith((TEXT, "text_projection")) or name.endswith(".position_ids")

    def traceless(self, settings: Settings) -> dict[str, Any]:
        end = int(self.told(settings)["eos_token_id"])
        pooled = {"end": "highest"} if end == _OLD_END else {"end": "token", "end_token": end}
        return {**super().traceless(settings), **pooled}

    def options(self, shapes: Shapes, settings: Settings) -> ClipTextOptions:
        """Sizes read from the tensors; heads, activation, epsilon and end from the settings."""
        return ClipTextOptions(
            **text_tower_sizes(shapes),
            joint=shapes["text_projection.weight"][0],
            **self.traceless(settings),
        )


class HuggingFaceClip(PartsKind):
    """Both towers and the temperature: an `ImageTextModel` of bare encoders."""

    module: type[nnx.Module] = ImageTextModel
    mark = "logit_scale"
    vision, language = ClipVisionTower(), ClipTextTower()

    def parts(self, module: Any) -> list[Part]:
        return [
            encoder_part("", ("image",), self.vision),
            encoder_part("", ("text",), self.language),
            scalar_part("logit_scale", ("further", "scale", "log_scale")),
        ]

    def encoders(self) -> list[tuple[str, Kind]]:
        return []  # both ignore what is not theirs, so neither may speak for the whole

    def ignored(self, name: str) -> bool:
        return name.endswith(".position_ids")

    def extra(self, module: nnx.Module) -> dict[str, np.ndarray]:
        return {}

    def make(self, shapes: Shapes, settings: Settings, changes: Settings) -> Make:
        of_image, of_text = changes_of(changes, ClipImageOptions, ClipTextOptions)
        image = self.vision.make(shapes, settings, of_image)
        text = self.language.make(shapes, settings, of_text)
        scale = {"highest": math.inf}  # the library does not bound it
        return lambda rngs: ImageTextModel(image(rngs), text(rngs), {"scale": Temperature(**scale)})
