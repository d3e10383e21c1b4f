# SPDX-License-Identifier: Apache-2.0
"""The names of DLILP and of its CLIP, UniCL and Unimodal baselines."""

import dataclasses
from typing import Any

from flax import nnx

from medst_jax.models.encoders.bert import Bert
from medst_jax.models.encoders.towers import ImageTextModel, ImageTower, TextTower, three_layers
from medst_jax.models.heads.contrastive import Prototypes, Temperature
from medst_jax.models.heads.projection_heads import LinearHead
from medst_jax.models.weights.foreign import Path
from medst_jax.models.weights.kinds import Kind, Make, Settings, Shapes, part_of, section
from medst_jax.models.weights.layouts.hf_bert import HuggingFaceBert
from medst_jax.models.weights.layouts.torchvision import Torchvision
from medst_jax.models.weights.part_tables import (
    Part,
    PartsKind,
    encoder_part,
    linear_head_slots,
    scalar_part,
    size_of,
)

IMAGE, TEXT = "vision_model.model.", "text_model.model."
_IMAGE_HEAD, _TEXT_HEAD = "vision_model.projection_head_vision", "text_model.projection_head_text"
_LABEL_HEAD = "vision_model.projection_head2"
_RESNET, _BERT = Torchvision(), HuggingFaceBert()
_FURTHER: dict[str, tuple[str, Path]] = {
    "scale": ("logit_scale", ("log_scale",)),
    "label_scale": ("logit_scale_head2", ("log_scale",)),
    "prototypes": ("class_prototypes", ("kernel",)),
}


class Dlilp(PartsKind):
    """ResNet-50 and BERT with linear heads; label head and prototypes where the file has them."""

    module: type[nnx.Module] = ImageTextModel
    mark = f"{_IMAGE_HEAD}.projection.weight"

    def parts(self, module: Any) -> list[Part]:
        head = linear_head_slots("projection")
        parts = [
            encoder_part(IMAGE, ("image", "encoder"), _RESNET),
            Part(f"{_IMAGE_HEAD}.", ("image", "global_head"), head),
        ]
        if module.text is not None:
            parts += [
                encoder_part(TEXT, ("text", "encoder"), _BERT),
                Part(f"{_TEXT_HEAD}.", ("text", "global_head"), head),
            ]
        if "label_projection" in module.further:
            parts.append(Part(f"{_LABEL_HEAD}.", ("further", "label_projection"), head))
        for key, (name, path) in _FURTHER.items():
            if key in module.further:
                parts.append(scalar_part(name, ("further", key, *path)))
        return parts

    def encoders(self) -> list[tuple[str, Kind]]:
        return [(IMAGE, _RESNET), (TEXT, _BERT)]

    def make(self, shapes: Shapes, settings: Settings, changes: Settings) -> Make:
        image = _RESNET.make(part_of(shapes, IMAGE), {}, {})
        has_text = f"{_TEXT_HEAD}.projection.weight" in shapes
        text = _BERT.options(part_of(shapes, TEXT), section(settings, "text")) if has_text else None
        text = dataclasses.replace(text, **changes) if text else None

        def head(name: str, rngs: nnx.Rngs) -> LinearHead:
            bias = f"{name}.projection.bias" in shapes
            return LinearHead(*size_of(shapes, f"{name}.projection"), bias=bias, rngs=rngs)

        def make(rngs: nnx.Rngs) -> ImageTextModel:
            further: dict[str, Any] = {"scale": Temperature()}
            if "logit_scale_head2" in shapes:
                further["label_scale"] = Temperature()
            if "class_prototypes" in shapes:
                further["prototypes"] = Prototypes(*shapes["class_prototypes"], rngs=rngs)
            if f"{_LABEL_HEAD}.projection.weight" in shapes:
                further["label_projection"] = head(_LABEL_HEAD, rngs)
            tower = None
            if text is not None:
                encoder = Bert(text, rngs=rngs)
                tower = TextTower(encoder, three_layers, head(_TEXT_HEAD, rngs), None)
            images = ImageTower(image(rngs), head(_IMAGE_HEAD, rngs), None)
            return ImageTextModel(images, tower, further)

        return make
