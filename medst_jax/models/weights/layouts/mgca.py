# SPDX-License-Identifier: Apache-2.0
"""The names of MGCA and of Med-ST, which is built on it."""

import dataclasses
from typing import Any

from flax import nnx

from medst_jax.models.encoders.bert import Bert
from medst_jax.models.encoders.towers import ImageTextModel, ImageTower, TextTower, summed_words
from medst_jax.models.heads.contrastive import Prototypes
from medst_jax.models.heads.projection_heads import BatchNormHead
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
from medst_jax.models.weights.layouts.timm import Timm
from medst_jax.models.weights.layouts.torchvision import Torchvision
from medst_jax.models.weights.layouts.view_experts import ViewExperts
from medst_jax.models.weights.part_tables import (
    Part,
    PartsKind,
    batch_norm_head_slots,
    encoder_part,
    scalar_part,
    size_of,
)

IMAGE, TEXT = "img_encoder_q.model.", "text_encoder_q.model."
RESIZED = 299  # side to which MGCA and GLoRIA enlarge the images of a ResNet
_BERT = HuggingFaceBert()


class MgcaBert(HuggingFaceBert):
    """The BERT of MGCA, whose cross-attention is never used."""

    def ignored(self, name: str) -> bool:
        return ".crossattention." in name or super().ignored(name)


class Mgca(PartsKind):
    """An `ImageTextModel` of ViT or ResNet-50, truncated BERT, batch-norm heads and prototypes."""

    module: type[nnx.Module] = ImageTextModel
    mark = "img_encoder_q.global_embed.head.0.weight"
    # Attention layers that the release builds and, by default, does not use.
    left_out: tuple[str, ...] = ("patch_local_atten_layer.", "word_local_atten_layer.")
    image_kinds: tuple[Kind, ...] = (Timm(), Torchvision())

    def parts(self, module: Any) -> list[Part]:
        kind = next(k for k in self.image_kinds if k.module is type(module.image.encoder))
        parts = [
            encoder_part(IMAGE, ("image", "encoder"), kind),
            encoder_part(TEXT, ("text", "encoder"), _BERT),
        ]
        for prefix, tower in (("img_encoder_q.", "image"), ("text_encoder_q.", "text")):
            for name, dimensions in (("global", 0), ("local", 1)):
                table = batch_norm_head_slots(dimensions)
                parts.append(Part(f"{prefix}{name}_embed.", (tower, f"{name}_head"), table))
        if "prototypes" in module.further:
            path = ("further", "prototypes", "kernel")
            parts.append(scalar_part("prototype_layer.weight", path))
        return parts

    def encoders(self) -> list[tuple[str, Kind]]:
        return [(IMAGE, kind) for kind in self.image_kinds] + [(TEXT, MgcaBert())]

    def make(self, shapes: Shapes, settings: Settings, changes: Settings) -> Make:
        image = self.image(part_of(shapes, IMAGE), section(settings, "image"))
        text = dataclasses.replace(
            _BERT.options(part_of(shapes, TEXT), section(settings, "text")), **changes
        )
        prototypes = shapes.get("prototype_layer.weight")

        def head(name: str, rngs: nnx.Rngs) -> BatchNormHead:
            features, hidden = size_of(shapes, f"{name}.head.0")
            return BatchNormHead(features, hidden, size_of(shapes, f"{name}.head.3")[1], rngs=rngs)

        def make(rngs: nnx.Rngs) -> ImageTextModel:
            encoder = image(rngs)
            return ImageTextModel(
                ImageTower(
                    encoder,
                    head("img_encoder_q.global_embed", rngs),
                    head("img_encoder_q.local_embed", rngs),
                    # A ResNet's local features are those of the stage before the last.
                    local_stage=-2 if hasattr(encoder, "conv1") else None,
                ),
                TextTower(
                    Bert(text, rngs=rngs),
                    summed_words,
                    head("text_encoder_q.global_embed", rngs),
                    head("text_encoder_q.local_embed", rngs),
                ),
                {"prototypes": Prototypes(*prototypes, rngs=rngs)} if prototypes else {},
            )

        return make

    def image(self, shapes: Shapes, settings: Settings) -> Make:
        """The image encoder that these tensors are of."""
        for kind in self.image_kinds:
            if kind.mark in shapes:
                changes = {"resize": RESIZED} if isinstance(kind, Torchvision) else {}
                return kind.make(shapes, settings, changes)
        raise LayoutError(f"no image encoder is known behind {IMAGE}")


class MedSt(Mgca):
    """As MGCA, with the two view experts and without prototypes."""

    left_out = (
        *Mgca.left_out,
        "word_element_wise_multi_head.",
        "patch_element_wise_multi_head.",
        # Heads of the lateral view that the release builds and never uses.
        "img_encoder_q.global_embed_la.",
        "img_encoder_q.local_embed_la.",
    )
    image_kinds = (ViewExperts(),)
