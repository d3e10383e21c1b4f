# SPDX-License-Identifier: Apache-2.0
"""The names of hi-ml's BioViL and BioViL-T image models and of CXR-BERT."""

import dataclasses
from typing import Any

import numpy as np
from flax import nnx

from medst_jax.models.encoders.bert import Bert
from medst_jax.models.encoders.hybrid_temporal_encoder import (
    HybridTemporalEncoder,
    HybridTemporalOptions,
)
from medst_jax.models.encoders.towers import ImageTower, TextTower, first_token
from medst_jax.models.heads.projection_heads import ClassTokenHead, PatchProjector
from medst_jax.models.weights.foreign import (
    SAME,
    Slot,
    linear_slots,
    matrix,
    norm_slots,
    point_kernel,
    reshaped,
    under,
)
from medst_jax.models.weights.kinds import (
    Kind,
    Make,
    OptionsKind,
    Settings,
    Shapes,
    count,
    part_of,
)
from medst_jax.models.weights.layouts.hf_bert import HuggingFaceBert
from medst_jax.models.weights.layouts.torchvision import Torchvision
from medst_jax.models.weights.part_tables import (
    Part,
    PartsKind,
    class_token_slots,
    encoder_part,
    projector_slots,
    size_of,
)

_RESNET, _BERT = Torchvision(), HuggingFaceBert()


class Hybrid(OptionsKind):
    """`HybridTemporalEncoder` as hi-ml's MultiImageEncoder names it."""

    module: type[nnx.Module] = HybridTemporalEncoder
    options_class: type[Any] = HybridTemporalOptions
    mark = "missing_previous_emb"

    def slots(self, module: nnx.Module) -> list[Slot]:
        assert isinstance(module, HybridTemporalEncoder)
        return [
            *under(_RESNET.slots(module.backbone), "encoder.", ("backbone",)),
            Slot("backbone_to_vit.weight", ("reduce", "kernel"), point_kernel(2)),
            Slot("missing_previous_emb", ("missing_prior",), reshaped(1, -1, 1, 1)),
            *under(pooler_slots(module.options.depth), "vit_pooler.", ("pooler",)),
        ]

    def ignored(self, name: str) -> bool:
        return name == "vit_pooler.pos_embed" or (
            name.startswith("encoder.") and _RESNET.ignored(name.removeprefix("encoder."))
        )

    def extra(self, module: nnx.Module) -> dict[str, np.ndarray]:
        assert isinstance(module, HybridTemporalEncoder)
        return {f"encoder.{k}": v for k, v in _RESNET.extra(module.backbone).items()}

    def options(self, shapes: Shapes, settings: Settings) -> HybridTemporalOptions:
        """Sizes read from the tensors; the pooler's heads are 8 where no settings tell."""
        return HybridTemporalOptions(
            backbone=_RESNET.options(part_of(shapes, "encoder."), settings),
            width=shapes["missing_previous_emb"][1],
            depth=count(shapes, ".norm1.weight"),
            heads=settings.get("num_heads", 8),
        )


def pooler_slots(depth: int) -> list[Slot]:
    """hi-ml's VisionTransformerPooler, `depth` layers."""
    slots = [
        Slot("type_embed", ("type_embed",), SAME),
        *norm_slots("norm_post", ("norm",)),
    ]
    path = ("blocks",)
    for layer in range(depth):
        name, index = f"blocks.{layer}", (layer,)
        for part, key in enumerate("qkv"):
            kernel = (*path, "attn", "qkv", "kernel")
            place = (layer, slice(None), part)
            slots.append(Slot(f"{name}.attn.proj_{key}.weight", kernel, matrix(1), place))
        slots += linear_slots(f"{name}.attn.proj", (*path, "attn", "out"), index, inputs=2)
        for linear in ("fc1", "fc2"):
            slots += linear_slots(f"{name}.mlp.{linear}", (*path, "mlp", linear), index)
        for norm in ("norm1", "norm2"):
            slots += norm_slots(f"{name}.{norm}", (*path, norm), index)
    return slots


class BioVil(PartsKind):
    """The ResNet and the projector of BioViL: an `ImageTower` without a global head."""

    module: type[nnx.Module] = ImageTower
    mark = "projector.model.0.weight"
    left_out = ("classifier.",)
    encoder: Kind = _RESNET
    encoder_name = "encoder.encoder."

    def parts(self, module: Any) -> list[Part]:
        return [
            encoder_part(self.encoder_name, ("encoder",), self.encoder),
            Part("projector.", ("local_head",), projector_slots),
        ]

    def encoders(self) -> list[tuple[str, Kind]]:
        return [(self.encoder_name, self.encoder)]

    def make(self, shapes: Shapes, settings: Settings, changes: Settings) -> Make:
        encoder = self.encoder.make(part_of(shapes, self.encoder_name), settings, changes)
        features, hidden = size_of(shapes, "projector.model.0")
        size = size_of(shapes, "projector.model.3")[1]
        return lambda rngs: ImageTower(
            encoder(rngs), None, PatchProjector(features, hidden, size, rngs=rngs)
        )


class BioVilT(BioVil):
    """The hybrid encoder and the projector of BioViL-T."""

    encoder: Kind = Hybrid()
    encoder_name = "encoder."


class CxrBert(PartsKind):
    """CXR-BERT: the encoder and the projection of its first token."""

    module: type[nnx.Module] = TextTower
    mark = "cls_projection_head.dense_to_hidden.weight"
    left_out = ("cls.",)

    def parts(self, module: Any) -> list[Part]:
        return [
            encoder_part("bert.", ("encoder",), _BERT),
            Part("cls_projection_head.", ("global_head",), class_token_slots),
        ]

    def encoders(self) -> list[tuple[str, Kind]]:
        return [("bert.", _BERT)]

    def make(self, shapes: Shapes, settings: Settings, changes: Settings) -> Make:
        options = _BERT.options(part_of(shapes, "bert."), settings)
        changed = dataclasses.replace(options, **changes)
        size = size_of(shapes, "cls_projection_head.dense_to_hidden")[1]
        return lambda rngs: TextTower(
            Bert(changed, rngs=rngs),
            first_token,
            ClassTokenHead(changed.width, size, rngs=rngs),
            None,
        )
