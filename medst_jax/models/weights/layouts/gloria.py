# SPDX-License-Identifier: Apache-2.0
"""GLoRIA's names."""

import dataclasses
from typing import Any

from flax import nnx

from medst_jax.models.encoders.bert import Bert
from medst_jax.models.encoders.towers import ImageTextModel, ImageTower, TextTower, four_layers
from medst_jax.models.heads.projection_heads import LinearHead
from medst_jax.models.weights.kinds import Kind, Make, Settings, Shapes, part_of, section
from medst_jax.models.weights.layouts.hf_bert import HuggingFaceBert
from medst_jax.models.weights.layouts.mgca import RESIZED
from medst_jax.models.weights.layouts.torchvision import Torchvision
from medst_jax.models.weights.part_tables import (
    Part,
    PartsKind,
    encoder_part,
    linear_head_slots,
    size_of,
)

IMAGE, TEXT = "img_encoder.model.", "text_encoder.model."
_RESNET, _BERT = Torchvision(), HuggingFaceBert()


class Gloria(PartsKind):
    """ResNet-50 at 299 px with a linear head for each of two stages, and a bare BERT."""

    module: type[nnx.Module] = ImageTextModel
    mark = "img_encoder.global_embedder.weight"
    prefixes: tuple[str, ...] = ("", "gloria.")

    def parts(self, module: Any) -> list[Part]:
        return [
            encoder_part(IMAGE, ("image", "encoder"), _RESNET),
            Part("img_encoder.", ("image", "global_head"), linear_head_slots("global_embedder")),
            Part(
                "img_encoder.",
                ("image", "local_head"),
                linear_head_slots("local_embedder", dimensions=2),
            ),
            encoder_part(TEXT, ("text", "encoder"), _BERT),
        ]

    def encoders(self) -> list[tuple[str, Kind]]:
        return [(IMAGE, _RESNET), (TEXT, _BERT)]

    def make(self, shapes: Shapes, settings: Settings, changes: Settings) -> Make:
        image = _RESNET.make(part_of(shapes, IMAGE), {}, {"resize": RESIZED})
        text = dataclasses.replace(
            _BERT.options(part_of(shapes, TEXT), section(settings, "text")), **changes
        )
        global_size = size_of(shapes, "img_encoder.global_embedder")
        local_size = size_of(shapes, "img_encoder.local_embedder")
        return lambda rngs: ImageTextModel(
            ImageTower(
                image(rngs),
                LinearHead(*global_size, rngs=rngs),
                LinearHead(*local_size, bias=False, rngs=rngs),
                local_stage=-2,
            ),
            TextTower(Bert(text, rngs=rngs), four_layers, None, None),
        )
