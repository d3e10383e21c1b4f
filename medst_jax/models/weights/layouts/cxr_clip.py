# SPDX-License-Identifier: Apache-2.0
"""CXR-CLIP's names."""

import dataclasses
from typing import Any

from flax import nnx

from medst_jax.models.encoders.bert import Bert
from medst_jax.models.encoders.towers import ImageTextModel, ImageTower, TextTower, last_token
from medst_jax.models.heads.contrastive import Temperature
from medst_jax.models.heads.projection_heads import LinearHead, ResidualHead
from medst_jax.models.weights.foreign import Slot, linear_slots, norm_slots
from medst_jax.models.weights.kinds import (
    Kind,
    LayoutError,
    Make,
    Settings,
    Shapes,
    part_of,
    section,
)
from medst_jax.models.weights.layouts.hf_bert import HuggingFaceBert
from medst_jax.models.weights.layouts.hf_swin import HuggingFaceSwin
from medst_jax.models.weights.layouts.torchvision import Torchvision
from medst_jax.models.weights.part_tables import (
    Part,
    PartsKind,
    encoder_part,
    linear_head_slots,
    scalar_part,
    size_of,
)

TEXT = "text_encoder.text_encoder."
IMAGES: tuple[tuple[str, Kind], ...] = (
    ("image_encoder.resnet.", Torchvision()),
    ("image_encoder.image_encoder.", HuggingFaceSwin()),
)
_BERT = HuggingFaceBert()


class CxrClip(PartsKind):
    """ResNet-50 or Swin-T, BERT read at its last token, and heads with bias.

    The release takes the first token of a Swin's last map, which has no class token, as its
    global feature; `ImageTower` takes the mean, as Swin was trained.
    """

    module: type[nnx.Module] = ImageTextModel
    mark = "image_projection.projection.weight"

    def parts(self, module: Any) -> list[Part]:
        encoder = module.image.encoder
        prefix, kind = next((p, k) for p, k in IMAGES if k.module is type(encoder))
        table = head_slots(module.image.global_head)
        return [
            encoder_part(prefix, ("image", "encoder"), kind),
            Part("image_projection.", ("image", "global_head"), table),
            encoder_part(TEXT, ("text", "encoder"), _BERT),
            Part("text_projection.", ("text", "global_head"), table),
            scalar_part("logit_scale", ("further", "scale", "log_scale")),
        ]

    def encoders(self) -> list[tuple[str, Kind]]:
        return [*IMAGES, (TEXT, _BERT)]

    def make(self, shapes: Shapes, settings: Settings, changes: Settings) -> Make:
        image = self._image(shapes, settings)
        text = dataclasses.replace(
            _BERT.options(part_of(shapes, TEXT), section(settings, "text")), **changes
        )

        def head(name: str, rngs: nnx.Rngs) -> LinearHead | ResidualHead:
            sizes = size_of(shapes, f"{name}.projection")
            residual = f"{name}.layer_norm.weight" in shapes
            return (ResidualHead if residual else LinearHead)(*sizes, rngs=rngs)

        return lambda rngs: ImageTextModel(
            ImageTower(image(rngs), head("image_projection", rngs), None),
            TextTower(Bert(text, rngs=rngs), last_token, head("text_projection", rngs), None),
            {"scale": Temperature()},
        )

    def _image(self, shapes: Shapes, settings: Settings) -> Make:
        for prefix, kind in IMAGES:
            if prefix + kind.mark in shapes:
                return kind.make(part_of(shapes, prefix), section(settings, "image"), {})
        raise LayoutError("the image encoder is neither a ResNet nor a Swin transformer")


def head_slots(head: Any) -> Any:
    """The table of a linear head or of the residual one."""
    return _residual_slots if isinstance(head, ResidualHead) else linear_head_slots("projection")


def _residual_slots(head: Any) -> list[Slot]:
    return [
        *linear_slots("projection", ("fc1",)),
        *linear_slots("fc", ("fc2",)),
        *norm_slots("layer_norm", ("norm",)),
    ]
