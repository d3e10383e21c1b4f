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

IMAGE_ENCODERS: dict[str, tuple[type, Callable[[], Any]]] = {
    "resnet50": (models.ResNet, models.ResNetOptions.resnet50),
    "resnet_small": (models.ResNet, models.ResNetOptions.small),
    "vit_b16": (models.ViT, models.ViTOptions.vit_b16),
    "vit_small": (models.ViT, models.ViTOptions.small),
}
TEXT_ENCODERS: dict[str, tuple[type, Callable[..., Any]]] = {
    "bert_base": (models.Bert, models.BertOptions.bert_base),
    "bert_small": (models.Bert, models.BertOptions.small),
}


def image_encoder(values: Mapping[str, Any], *, size: int, channels: int, rngs: nnx.Rngs) -> Any:
    """Build the image encoder of `{"name": ..., **overrides}` for images of `size` pixels."""
    overrides: dict[str, Any] = {"channels": channels}
    if str(values.get("name", "")).startswith("vit"):
        overrides["image_size"] = size
    return _build(IMAGE_ENCODERS, values, overrides, "config.system.image", rngs)


def text_encoder(values: Mapping[str, Any], *, vocabulary_size: int, rngs: nnx.Rngs) -> Any:
    """Build the text encoder of `{"name": ..., **overrides}`."""
    fixed = {"vocabulary_size": vocabulary_size}
    return _build(TEXT_ENCODERS, values, fixed, "config.system.text", rngs)


def _build(
    table: Mapping[str, tuple[type, Callable[..., Any]]],
    values: Mapping[str, Any],
    fixed: Mapping[str, Any],
    where: str,
    rngs: nnx.Rngs,
) -> Any:
    name = str(values.get("name"))
    if name not in table:
        raise OptionError(f"{where}.name is {name!r}; known encoders: {', '.join(table)}")
    module, defaults = table[name]
    options = defaults(**fixed)
    base = {f.name: getattr(options, f.name) for f in dataclasses.fields(options)}
    overrides = {k: v for k, v in values.items() if k != "name"}
    return module(parse(type(options), {**base, **overrides}, where), rngs=rngs)


def image_features(
    encoder: Any, images: jax.Array, *, train: bool, keys: jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """Pooled features [B, D] and patch features [B, P, D] of float images [B, s, s, c]."""
    if isinstance(encoder, models.ResNet):
        output = encoder(images, train=train)
        grid = output.stages[-1]
        return output.pooled, grid.reshape(grid.shape[0], -1, grid.shape[-1])
    tokens = encoder(images, train=train, keys=keys).tokens
    return tokens[:, 0], tokens[:, 1:]


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
