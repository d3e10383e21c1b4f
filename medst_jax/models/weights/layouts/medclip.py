# SPDX-License-Identifier: Apache-2.0
"""MedCLIP's names, of its Swin transformer and of its ResNet."""

import dataclasses
import functools
from typing import Any

from flax import nnx

from medst_jax.models.encoders.bert import Bert, BertOptions
from medst_jax.models.encoders.swin import SwinOptions
from medst_jax.models.encoders.towers import (
    ImageTextModel,
    ImageTower,
    TextTower,
    three_layers_padded,
)
from medst_jax.models.heads.contrastive import Projection, Temperature
from medst_jax.models.weights.kinds import Kind, Make, Settings, Shapes, Within, part_of, section
from medst_jax.models.weights.layouts.hf_bert import HuggingFaceBert
from medst_jax.models.weights.layouts.hf_swin import HuggingFaceSwin
from medst_jax.models.weights.layouts.torchvision import Torchvision
from medst_jax.models.weights.part_tables import (
    Part,
    PartsKind,
    changes_of,
    encoder_part,
    linear_head_slots,
    scalar_part,
    size_of,
)

IMAGE, TEXT = "vision_model.model.", "text_model.model."
_TEXT_HEAD = "text_model.projection_head"
_SWIN, _RESNET, _BERT = HuggingFaceSwin(), Torchvision(), HuggingFaceBert()
# The ResNet's classifier is its projection.
_HEADS: dict[type[nnx.Module], tuple[str, str]] = {
    _SWIN.module: ("vision_model.", "projection_head"),
    _RESNET.module: (IMAGE, "fc"),
}


class MedClip(PartsKind):
    """Swin or ResNet and BERT with linear heads to the unit sphere.

    Texts are pooled as in the release, padding included.
    """

    module: type[nnx.Module] = ImageTextModel
    mark = f"{_TEXT_HEAD}.weight"

    def parts(self, module: Any) -> list[Part]:
        encoder = module.image.encoder
        kind: Kind = _SWIN if type(encoder) is _SWIN.module else _RESNET
        prefix, head = _HEADS[type(encoder)]
        return [
            encoder_part(IMAGE, ("image", "encoder"), kind),
            Part(prefix, ("image", "global_head"), linear_head_slots(head)),
            encoder_part(TEXT, ("text", "encoder"), _BERT),
            Part("text_model.", ("text", "global_head"), linear_head_slots("projection_head")),
            scalar_part("logit_scale", ("further", "scale", "log_scale")),
        ]

    def encoders(self) -> list[tuple[str, Kind]]:
        return [(IMAGE, _SWIN), (TEXT, _BERT)]

    def make(self, shapes: Shapes, settings: Settings, changes: Settings) -> Make:
        swin = IMAGE + _SWIN.mark in shapes
        kind: Any = _SWIN if swin else _RESNET
        options = SwinOptions if swin else _RESNET.options_class
        of_image, of_text = changes_of(changes, options, BertOptions)
        image = kind.make(part_of(shapes, IMAGE), section(settings, "image"), of_image)
        text = _BERT.options(part_of(shapes, TEXT), section(settings, "text"))
        text = dataclasses.replace(text, **of_text)
        heads = [size_of(shapes, "".join(_HEADS[kind.module])), size_of(shapes, _TEXT_HEAD)]

        def make(rngs: nnx.Rngs) -> ImageTextModel:
            of_images, of_texts = (Projection(*sizes, rngs=rngs) for sizes in heads)
            return ImageTextModel(
                ImageTower(image(rngs), of_images, None),
                TextTower(Bert(text, rngs=rngs), three_layers_padded, of_texts, None),
                {"scale": Temperature()},
            )

        return make


def kinds() -> tuple[Kind, ...]:
    """The model, and its encoders alone."""
    image = functools.partial(section, name="image")
    return (
        MedClip(),
        Within(_SWIN, IMAGE, settings_of=image),
        Within(_RESNET, IMAGE),
        Within(_BERT, TEXT, settings_of=functools.partial(section, name="text")),
    )
