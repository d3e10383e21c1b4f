# SPDX-License-Identifier: Apache-2.0
"""OpenAI CLIP's names, which open_clip uses too (visual.transformer.resblocks.0, ...)."""

import math
from functools import partial
from typing import Any

import numpy as np
from absl import logging
from flax import nnx

from medst_jax.models.encoders.clip_transformer import (
    ClipImage,
    ClipImageOptions,
    ClipText,
    ClipTextOptions,
)
from medst_jax.models.encoders.towers import ImageTextModel
from medst_jax.models.heads.contrastive import Temperature
from medst_jax.models.weights.foreign import (
    FLAT,
    SAME,
    Path,
    Slot,
    linear_slots,
    matrix,
    norm_slots,
    patch_kernel,
)
from medst_jax.models.weights.kinds import (
    OPEN_CLIP_CONFIG,
    Kind,
    LayoutError,
    Make,
    OptionsKind,
    Settings,
    Shapes,
    count,
    heads,
    part_of,
)
from medst_jax.models.weights.part_tables import Part, PartsKind, encoder_part, scalar_part
from medst_jax.models.weights.positions import first_rows, resize_grid

IMAGE = "visual."
# Keys of open_clip's towers that change what they compute, and the values computed here.
_PLAIN: dict[str, tuple[Any, ...]] = {
    "pool_type": (None, "tok", "argmax"),
    "no_causal_mask": (None, False),
    "no_ln_pre": (None, False),
    "final_ln_after_pool": (None, False),
    "attentional_pool": (None, False),
    "global_average_pool": (None, False),
    "input_patchnorm": (None, False),
    "ls_init_value": (None,),
    "timm_model_name": (None,),
    "hf_model_name": (None,),
    "act_kwargs": (None, {}),
    "embed_cls": (None, False),
}
_TEXT_NAMES = (
    "positional_embedding",
    "text_projection",
    "token_embedding.",
    "ln_final.",
    "transformer.",
)


class ClipVision(OptionsKind):
    """The image transformer."""

    module: type[nnx.Module] = ClipImage
    options_class: type[Any] = ClipImageOptions
    mark = "conv1.weight"

    def slots(self, module: nnx.Module) -> list[Slot]:
        assert isinstance(module, ClipImage)
        patch = patch_kernel(module.options.patch)
        resize = partial(resize_grid, leading=1)
        return [
            Slot("class_embedding", ("class_embedding",), SAME),
            Slot("positional_embedding", ("positions",), SAME, resize=resize),
            Slot("proj", ("projection",), SAME),
            Slot("conv1.weight", ("patch_embed", "kernel"), patch, input_axis=1),
            *norm_slots("ln_pre", ("norm_pre",)),
            *norm_slots("ln_post", ("norm",)),
            *_blocks(module.options.depth),
        ]

    def options(self, shapes: Shapes, settings: Settings) -> ClipImageOptions:
        """Sizes read from the tensors; heads and activation from the settings, else OpenAI's."""
        width, channels, patch, _ = shapes["conv1.weight"]
        return ClipImageOptions(
            patch=patch,
            width=width,
            depth=count(shapes, ".ln_1.weight"),
            heads=heads(width, _tower(settings, "vision_cfg")),
            mlp=shapes["transformer.resblocks.0.mlp.c_fc.weight"][0],
            image_size=math.isqrt(shapes["positional_embedding"][0] - 1) * patch,
            channels=channels,
            joint=shapes["proj"][1],
            activation=_activation(settings),
        )


class ClipLanguage(OptionsKind):
    """The text transformer."""

    module: type[nnx.Module] = ClipText
    options_class: type[Any] = ClipTextOptions
    mark = "token_embedding.weight"

    def slots(self, module: nnx.Module) -> list[Slot]:
        assert isinstance(module, ClipText)
        return [
            Slot("token_embedding.weight", ("word_embeddings",), SAME),
            Slot("positional_embedding", ("positions",), SAME, resize=first_rows),
            Slot("text_projection", ("projection",), SAME),
            *norm_slots("ln_final", ("norm",)),
            *_blocks(module.options.depth),
        ]

    def ignored(self, name: str) -> bool:
        """The causal mask that some files hold, and everything that is not text."""
        return name == "attn_mask" or not name.startswith(_TEXT_NAMES)

    def options(self, shapes: Shapes, settings: Settings) -> ClipTextOptions:
        """Sizes read from the tensors; heads and activation from the settings, else OpenAI's."""
        vocabulary_size, width = shapes["token_embedding.weight"]
        own = {n: s for n, s in shapes.items() if n.startswith(_TEXT_NAMES)}
        return ClipTextOptions(
            vocabulary_size=vocabulary_size,
            width=width,
            depth=count(own, ".ln_1.weight"),
            heads=heads(width, _tower(settings, "text_cfg")),
            mlp=shapes["transformer.resblocks.0.mlp.c_fc.weight"][0],
            max_length=shapes["positional_embedding"][0],
            joint=shapes["text_projection"][1],
            activation=_activation(settings),
        )


class OpenClip(PartsKind):
    """Both transformers and the temperature: an `ImageTextModel` of bare encoders."""

    module: type[nnx.Module] = ImageTextModel
    mark = "logit_scale"
    prefixes: tuple[str, ...] = ("", "module.", "clip.")
    left_out = ("attn_mask", "input_resolution", "context_length", "vocab_size")
    vision, language = ClipVision(), ClipLanguage()

    def parts(self, module: Any) -> list[Part]:
        return [
            encoder_part(IMAGE, ("image",), self.vision),
            encoder_part("", ("text",), self.language),
            scalar_part("logit_scale", ("further", "scale", "log_scale")),
        ]

    def encoders(self) -> list[tuple[str, Kind]]:
        return [(IMAGE, self.vision)]

    def extra(self, module: nnx.Module) -> dict[str, np.ndarray]:
        return {}

    def make(self, shapes: Shapes, settings: Settings, changes: Settings) -> Make:
        image = self.vision.make(part_of(shapes, IMAGE), settings, changes)
        text = self.language.make(shapes, settings, changes)
        return lambda rngs: ImageTextModel(image(rngs), text(rngs), {"scale": Temperature()})


def _blocks(depth: int) -> list[Slot]:
    slots: list[Slot] = []
    for layer in range(depth):
        name, path, index = f"transformer.resblocks.{layer}", ("blocks",), (layer,)
        slots += norm_slots(f"{name}.ln_1", (*path, "norm1"), index)
        slots += norm_slots(f"{name}.ln_2", (*path, "norm2"), index)
        attention: Path = (*path, "attn")
        kernel, bias = (*attention, "qkv", "kernel"), (*attention, "qkv", "bias")
        slots.append(Slot(f"{name}.attn.in_proj_weight", kernel, matrix(1), index))
        slots.append(Slot(f"{name}.attn.in_proj_bias", bias, FLAT, index))
        slots += linear_slots(f"{name}.attn.out_proj", (*attention, "out"), index, inputs=2)
        slots += linear_slots(f"{name}.mlp.c_fc", (*path, "mlp", "fc1"), index)
        slots += linear_slots(f"{name}.mlp.c_proj", (*path, "mlp", "fc2"), index)
    return slots


def _model(settings: Settings) -> Settings:
    """The model's settings, also out of a hub folder's open_clip_config.json."""
    model: Settings = settings.get("model_cfg", settings)
    return model


def _tower(settings: Settings, name: str) -> Settings:
    """The settings of one tower, "vision_cfg" or "text_cfg".

    Raises:
      LayoutError: it asks for what these transformers do not compute.
    """
    tower: Settings = _model(settings).get(name) or {}
    for key, plain in _PLAIN.items():
        if tower.get(key) not in plain:
            raise LayoutError(f"{name}.{key} is {tower[key]!r}, which layout 'open-clip' lacks")
    return tower


def _activation(settings: Settings) -> Any:
    """open_clip's own models are trained with gelu and say so by `quick_gelu` false or absent."""
    model = _model(settings)
    quick = model.get("quick_gelu", "embed_dim" not in model)
    if "embed_dim" not in model and "quick_gelu" not in model:
        logging.info(
            "no %s beside the weights: OpenAI's quick GELU is assumed; models of open_clip need it",
            OPEN_CLIP_CONFIG,
        )
    return "quick_gelu" if quick else "gelu"
