# SPDX-License-Identifier: Apache-2.0
"""Image and text encoders by name, and what the systems read off them."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax import models
from medst_jax.options import OptionError, parse
from medst_jax.systems.options import ImageOptions, ImageTextOptions

IMAGE_ENCODERS: dict[str, tuple[type, Callable[[], Any]]] = {
    "resnet50": (models.ResNet, models.ResNetOptions.resnet50),
    "resnet_small": (models.ResNet, models.ResNetOptions.small),
    "vit_b16": (models.ViT, models.ViTOptions.vit_b16),
    "vit_small": (models.ViT, models.ViTOptions.small),
    "vit_b16_views": (models.MixtureOfViewExperts, models.ViTOptions.vit_b16),
    "vit_small_views": (models.MixtureOfViewExperts, models.ViTOptions.small),
}
TEXT_ENCODERS: dict[str, tuple[type, Callable[..., Any]]] = {
    "bert_base": (models.Bert, models.BertOptions.bert_base),
    "bert_small": (models.Bert, models.BertOptions.small),
}


def image_encoder(options: ImageOptions, *, rngs: nnx.Rngs) -> Any:
    """Build the image encoder of `options.image` for the images that its preprocessing gives."""
    fixed: dict[str, Any] = {"channels": options.preprocess.channels}
    if str(options.image.get("name", "")).startswith("vit"):
        fixed["image_size"] = options.preprocess.size
    return _build(IMAGE_ENCODERS, options.image, fixed, "config.system.image", rngs)


def temporal_encoder(
    options: ImageOptions, pooler: Mapping[str, Any], *, rngs: nnx.Rngs
) -> models.HybridTemporalEncoder:
    """The ResNet of `options.image` on an image and its prior, and the pooler that compares them.

    `pooler` replaces options of `HybridTemporalOptions` other than the backbone.
    """
    fixed = {"channels": options.preprocess.channels}
    _, backbone = _options(IMAGE_ENCODERS, options.image, fixed, "config.system.image")
    if not isinstance(backbone, models.ResNetOptions):
        raise OptionError(
            f"config.system.image.name is {options.image['name']!r}; a prior image is compared "
            "on the map of a ResNet: resnet50 or resnet_small"
        )
    values = {**pooler, "backbone": backbone}
    parsed = parse(models.HybridTemporalOptions, values, "config.system.pooler")
    return models.HybridTemporalEncoder(parsed, rngs=rngs)


def text_encoder(options: ImageTextOptions, *, rngs: nnx.Rngs) -> Any:
    """Build the text encoder of `options.text` for the vocabulary of the data."""
    fixed = {"vocabulary_size": options.vocabulary_size}
    return _build(TEXT_ENCODERS, options.text, fixed, "config.system.text", rngs)


Table = Mapping[str, tuple[type, Callable[..., Any]]]


def _build(
    table: Table, values: Mapping[str, Any], fixed: Mapping[str, Any], where: str, rngs: nnx.Rngs
) -> Any:
    module, options = _options(table, values, fixed, where)
    return module(options, rngs=rngs)


def _options(
    table: Table, values: Mapping[str, Any], fixed: Mapping[str, Any], where: str
) -> tuple[type, Any]:
    """The module of a name and its options, defaults replaced by `values`."""
    name = str(values.get("name"))
    if name not in table:
        raise OptionError(f"{where}.name is {name!r}; known encoders: {', '.join(table)}")
    module, defaults = table[name]
    options = defaults(**fixed)
    base = {f.name: getattr(options, f.name) for f in dataclasses.fields(options)}
    overrides = {k: v for k, v in values.items() if k != "name"}
    return module, parse(type(options), {**base, **overrides}, where)


def image_features(
    encoder: Any, images: jax.Array, *, train: bool, keys: jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """Pooled features [B, D] and patch features [B, P, D] of float images [B, s, s, c]."""
    output = encoder(images, train=train, keys=keys)
    return output.pooled, output.patches


def regions(output: Any, stage: int | None = None) -> jax.Array:
    """Features [B, P, D] of an image encoder's output, in row order.

    Args:
      output: of a ResNet or a ViT.
      stage: number of the ResNet's stage whose map is cut into its cells, negative from the
        end; None and encoders without stages give the last map or the patch tokens.
    """
    if stage is None or not hasattr(output, "stages"):
        return output.patches
    cells = output.stages[stage]
    return cells.reshape(len(cells), -1, cells.shape[-1])


def text_features(
    encoder: Any, tokens: jax.Array, token_mask: jax.Array, keys: jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """Sentence features [B, D] and token features [B, L, D].

    Both are means over the outputs of the first, second and last layer; the sentence is the
    mean over its tokens. MedCLIP and DLILP average over padding as well, which makes a text's
    vector depend on its neighbours in the batch; the mean here is masked.
    """
    states = encoder(tokens, token_mask, keys=keys).hidden_states
    layers = sorted({1, min(2, len(states) - 1), len(states) - 1})
    local = sum(states[layer].astype(jnp.float32) for layer in layers) / len(layers)
    weights = token_mask.astype(jnp.float32)[..., None]
    pooled = jnp.sum(local * weights, axis=1) / jnp.maximum(jnp.sum(weights, axis=1), 1.0)
    return pooled, local
