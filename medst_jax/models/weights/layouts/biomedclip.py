# SPDX-License-Identifier: Apache-2.0
"""open_clip's names of a timm image tower with a Hugging Face BERT: BiomedCLIP and its kin."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from flax import nnx

from medst_jax.models.encoders.bert import BertOptions
from medst_jax.models.encoders.towers import (
    ImageTextModel,
    ImageTower,
    Pooling,
    TextTower,
    first_token,
    mean_token,
)
from medst_jax.models.encoders.vit import ViTOptions
from medst_jax.models.heads.contrastive import Temperature
from medst_jax.models.heads.pooler import Pooler
from medst_jax.models.heads.projection_heads import GeluHead, LinearHead
from medst_jax.models.weights.foreign import Path, Slot, linear_slots
from medst_jax.models.weights.kinds import (
    OPEN_CLIP_CONFIG,
    TEXT_CONFIG,
    Kind,
    LayoutError,
    Make,
    Settings,
    Shapes,
    Within,
    part_of,
)
from medst_jax.models.weights.layouts.hf_bert import HuggingFaceBert
from medst_jax.models.weights.layouts.timm import Timm
from medst_jax.models.weights.part_tables import (
    Part,
    PartsKind,
    changes_of,
    encoder_part,
    linear_head_slots,
    scalar_part,
    size_of,
)

IMAGE, TEXT, _POOLER = "visual.trunk.", "text.transformer.", "text.transformer.pooler."
_TIMM, _BERT = Timm(), HuggingFaceBert()
# open_clip's poolers; the class token of the last layer, its pooled form, the mean of the tokens.
_POOLINGS: dict[str, Pooling] = {
    "cls_last_hidden_state_pooler": first_token,
    "cls_pooler": first_token,
    "mean_pooler": mean_token,
}


class PooledHead(nnx.Module):
    """BERT's pooler before a projection, where open_clip's config says `cls_pooler`."""

    def __init__(self, width: int, head: nnx.Module, *, rngs: nnx.Rngs) -> None:
        self.pooler = Pooler(width, rngs=rngs)
        self.head: Any = head

    def __call__(self, x: Any, *, train: bool = False) -> Any:
        """The first token [B, D] -> [B, E]."""
        return self.head(self.pooler(x[:, None]), train=train)


class BiomedClip(PartsKind):
    """ViT with a linear projection, BERT with one of one or two layers, temperature."""

    module: type[nnx.Module] = ImageTextModel
    mark = "visual.head.proj.weight"

    def parts(self, module: Any) -> list[Part]:
        parts = [
            encoder_part(IMAGE, ("image", "encoder"), _TIMM),
            Part("visual.head.", ("image", "global_head"), linear_head_slots("proj")),
            encoder_part(TEXT, ("text", "encoder"), _BERT),
            scalar_part("logit_scale", ("further", "scale", "log_scale")),
        ]
        head = module.text.global_head
        path: Path = ("text", "global_head")
        if isinstance(head, PooledHead):
            parts.append(Part(_POOLER, (*path, "pooler"), _pooler_slots))
            head, path = head.head, (*path, "head")
        return [*parts, Part("text.", path, _projection_slots(head))]

    def encoders(self) -> list[tuple[str, Kind]]:
        return [(IMAGE, _TIMM), (TEXT, _BERT)]

    def extra(self, module: nnx.Module) -> dict[str, np.ndarray]:
        return {}

    def make(self, shapes: Shapes, settings: Settings, changes: Settings) -> Make:
        of_image, of_text = changes_of(changes, ViTOptions, BertOptions)
        image = _TIMM.make(part_of(shapes, IMAGE), image_settings(settings), of_image)
        text = _BERT.make(part_of(shapes, TEXT), text_settings(settings), of_text)
        pooling = _text_pooling(settings)
        sizes = size_of(shapes, "visual.head.proj")
        head = _projection(shapes)

        def make(rngs: nnx.Rngs) -> ImageTextModel:
            encoder: Any = text(rngs)
            text_head = head(rngs)
            if pooling == "cls_pooler":
                text_head = PooledHead(encoder.features, text_head, rngs=rngs)
            return ImageTextModel(
                ImageTower(image(rngs), LinearHead(*sizes, bias=False, rngs=rngs), None),
                TextTower(encoder, _POOLINGS[pooling], text_head, None),
                {"scale": Temperature(highest=math.inf)},
            )

        return make


def image_settings(settings: Settings) -> Settings:
    """What the timm kind reads: the name of the architecture and changes of its sizes.

    Raises:
      LayoutError: the config asks for what is not computed here.
    """
    tower = _model(settings).get("vision_cfg") or {}
    pool, projection = tower.get("timm_pool", "avg"), tower.get("timm_proj", "linear")
    if pool not in ("", "token", "map") or projection != "linear":
        raise LayoutError(
            f"vision_cfg has timm_pool {pool!r} and timm_proj {projection!r}; layout 'biomedclip' "
            "computes the pool of the timm model itself ('') and a linear projection"
        )
    return {
        "architecture": tower.get("timm_model_name", ""),
        "model_args": tower.get("timm_model_kwargs") or {},
    }


def text_settings(settings: Settings) -> Settings:
    """BERT's own config where it lies beside open_clip's; else {}, and heads are 64 wide."""
    own: Settings = settings.get(TEXT_CONFIG) or {}
    return own if own.get("model_type") == "bert" else {}


def _text_pooling(settings: Settings) -> str:
    tower = _model(settings).get("text_cfg") or {}
    # Copies of November 2023 and before have the keys without hf_.
    pooling = tower.get("hf_pooler_type", tower.get("pooler_type", "mean_pooler"))
    if pooling not in _POOLINGS:
        raise LayoutError(f"text_cfg.hf_pooler_type is {pooling!r}; known: {', '.join(_POOLINGS)}")
    return str(pooling)


def _model(settings: Settings) -> Settings:
    model: Settings = settings.get("model_cfg", settings)
    if "embed_dim" not in model:
        raise LayoutError(
            f"the pooling of texts leaves no trace in the tensors; put {OPEN_CLIP_CONFIG} beside "
            "the weights"
        )
    return model


def _projection(shapes: Shapes) -> Callable[[nnx.Rngs], nnx.Module]:
    if "text.proj.weight" in shapes:
        sizes = size_of(shapes, "text.proj")
        return lambda rngs: LinearHead(*sizes, bias=False, rngs=rngs)
    features, hidden = size_of(shapes, "text.proj.0")
    _, size = size_of(shapes, "text.proj.2")
    return lambda rngs: GeluHead(features, hidden, size, rngs=rngs)


def _projection_slots(head: Any) -> Callable[[Any], list[Slot]]:
    if isinstance(head, LinearHead):
        return linear_head_slots("proj")
    return lambda _: [
        *linear_slots("proj.0", ("fc1",), bias=False),
        *linear_slots("proj.2", ("fc2",), bias=False),
    ]


def _pooler_slots(pooler: Any) -> list[Slot]:
    return list(linear_slots("dense", ("dense",)))


def kinds() -> tuple[Kind, ...]:
    """The model, and its encoders alone."""
    return (
        BiomedClip(),
        Within(_TIMM, IMAGE, settings_of=image_settings),
        Within(_BERT, TEXT, settings_of=text_settings),
    )
