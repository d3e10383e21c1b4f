# SPDX-License-Identifier: Apache-2.0
"""Image and text encoders by name, and what the systems read off them."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax import models
from medst_jax.options import OptionError, parse
from medst_jax.systems.parts.options import ImageOptions, ImageTextOptions

# A module and what makes its default options. Called only for the name that a configuration
# gives: `models` then reads the one file that defines the encoder.
Choice = Callable[[], tuple[type, Callable[..., Any]]]
IMAGE_ENCODERS: dict[str, Choice] = {
    "resnet50": lambda: (models.ResNet, models.ResNetOptions.resnet50),
    "resnet_small": lambda: (models.ResNet, models.ResNetOptions.small),
    "grid_resnet256": lambda: (
        models.GridResNet,
        functools.partial(models.grid_resnet_options, 256),
    ),
    "grid_resnet2048": lambda: (
        models.GridResNet,
        functools.partial(models.grid_resnet_options, 2048),
    ),
    "vit_b16": lambda: (models.ViT, models.ViTOptions.vit_b16),
    "vit_small": lambda: (models.ViT, models.ViTOptions.small),
    "vit_sincos_b16": lambda: (
        models.ViT,
        functools.partial(models.ViTOptions.vit_b16, positions="sincos"),
    ),
    "vit_sincos_small": lambda: (
        models.ViT,
        functools.partial(models.ViTOptions.small, positions="sincos"),
    ),
    "view_experts_b16": lambda: (models.MixtureOfViewExperts, models.ViTOptions.vit_b16),
    "view_experts_small": lambda: (models.MixtureOfViewExperts, models.ViTOptions.small),
    "view_experts_hybrid_small": lambda: (
        models.HybridViewExperts,
        models.HybridViewExpertsOptions.small,
    ),
    "swin_tiny": lambda: (models.Swin, models.SwinOptions.tiny),
    "swin_small": lambda: (models.Swin, models.SwinOptions.small),
    "hybrid_temporal": lambda: (
        models.HybridTemporalEncoder,
        models.HybridTemporalOptions.biovil_t,
    ),
    "hybrid_temporal_small": lambda: (
        models.HybridTemporalEncoder,
        models.HybridTemporalOptions.small,
    ),
    "clip_b32": lambda: (models.ClipImage, models.ClipImageOptions.vit_b32),
    "clip_small": lambda: (models.ClipImage, models.ClipImageOptions.small),
}
_FIXED_SIZE = ("vit", "view_experts", "swin", "clip")  # take images of one size
AUTOENCODERS: dict[str, Choice] = {
    "variational": lambda: (models.VariationalAutoencoder, models.VariationalOptions),
    "variational_small": lambda: (models.VariationalAutoencoder, models.VariationalOptions.small),
}
TEXT_ENCODERS: dict[str, Choice] = {
    "bert_base": lambda: (models.Bert, models.BertOptions.bert_base),
    "bert_small": lambda: (models.Bert, models.BertOptions.small),
    "transformer_b": lambda: (models.TextTransformer, models.TextTransformerOptions.base),
    "transformer_small": lambda: (models.TextTransformer, models.TextTransformerOptions.small),
    "clip_text_b": lambda: (models.ClipText, models.ClipTextOptions.base),
    "clip_text_small": lambda: (models.ClipText, models.ClipTextOptions.small),
}


def encoder_defaults(values: Mapping[str, Any]) -> Any:
    """Options of the encoder that `values["name"]` names, before any override; None for no name."""
    name = str(values.get("name"))
    if name in TEXT_ENCODERS:
        return TEXT_ENCODERS[name]()[1](vocabulary_size=0)
    factory = {**IMAGE_ENCODERS, **AUTOENCODERS}.get(name)
    return None if factory is None else factory()[1]()


def image_encoder(options: ImageOptions, *, rngs: nnx.Rngs) -> Any:
    """Build the image encoder of `options.image` for the images that its preprocessing gives."""
    fixed: dict[str, Any] = {"channels": options.preprocess.channels}
    if str(options.image.get("name", "")).startswith(_FIXED_SIZE):
        fixed["image_size"] = options.preprocess.size
    return _build(IMAGE_ENCODERS, options.image, fixed, "config.system.image", rngs)


def autoencoder(options: ImageOptions, *, outputs: int, rngs: nnx.Rngs) -> Any:
    """Build the variational autoencoder of `options.image`, with `outputs` severity logits."""
    fixed = {"image_size": options.preprocess.size, "outputs": outputs}
    return _build(AUTOENCODERS, options.image, fixed, "config.system.image", rngs)


def temporal_encoder(
    options: ImageOptions, pooler: Mapping[str, Any], *, rngs: nnx.Rngs
) -> "models.HybridTemporalEncoder":
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


def _build(
    table: Mapping[str, Choice],
    values: Mapping[str, Any],
    fixed: Mapping[str, Any],
    where: str,
    rngs: nnx.Rngs,
) -> Any:
    module, options = _options(table, values, fixed, where)
    return module(options, rngs=rngs)


def _options(
    table: Mapping[str, Choice], values: Mapping[str, Any], fixed: Mapping[str, Any], where: str
) -> tuple[type, Any]:
    """The module of a name and its options, defaults replaced by `values`."""
    name = str(values.get("name"))
    if name not in table:
        raise OptionError(f"{where}.name is {name!r}; known encoders: {', '.join(table)}")
    module, defaults = table[name]()
    options = defaults(**fixed)
    base = dataclasses.asdict(options)
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


def region_width(encoder: Any, options: ImageOptions, stage: int | None) -> int:
    """Features D of a region of `regions`, for images as the preprocessing gives them."""
    if stage is None:
        return int(encoder.features)
    size, channels = options.preprocess.size, options.preprocess.channels
    pixels = jax.ShapeDtypeStruct((1, size, size, channels), jnp.float32)
    return int(jax.eval_shape(lambda x: regions(encoder(x), stage), pixels).shape[-1])


def text_features(
    encoder: Any, tokens: jax.Array, token_mask: jax.Array, keys: jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """Sentence features [B, D] and token features [B, L, D], float32.

    Text transformers pool by themselves. Of a BERT both are means over the outputs of the first, second and last layer; the sentence is the
    mean over its tokens. MedCLIP and DLILP average over padding as well, which makes a text's
    vector depend on its neighbours in the batch; the mean here is masked.
    """
    output = encoder(tokens, token_mask, keys=keys)
    if hasattr(output, "pooled"):
        return output.pooled, output.tokens.astype(jnp.float32)
    states = output.hidden_states
    layers = sorted({1, min(2, len(states) - 1), len(states) - 1})
    local = sum(states[layer].astype(jnp.float32) for layer in layers) / len(layers)
    return token_mean(local, token_mask), local


def token_mean(states: jax.Array, token_mask: jax.Array) -> jax.Array:
    """Mean [B, D] over the valid tokens of states [B, L, D]; zeros where there is none."""
    weights = token_mask.astype(jnp.float32)[..., None]
    return jnp.sum(states * weights, axis=1) / jnp.maximum(jnp.sum(weights, axis=1), 1.0)


def last_layers(
    encoder: Any, tokens: jax.Array, token_mask: jax.Array, keys: jax.Array | None = None
) -> jax.Array:
    """Tokens float32 [B, L, D] as the sum of a BERT's last four layers: GLoRIA and CARZero."""
    states = encoder(tokens, token_mask, keys=keys).hidden_states[-4:]
    return jnp.stack([state.astype(jnp.float32) for state in states]).sum(0)
