# SPDX-License-Identifier: Apache-2.0
"""The config.json by which timm and transformers build an exported encoder."""

from typing import Any

from flax import nnx

from medst_jax.data.images.preprocess import Preprocess
from medst_jax.models.encoders.bert import Bert
from medst_jax.models.encoders.swin import Swin
from medst_jax.models.encoders.vit import ViT
from medst_jax.models.weights.layout_registry import own_layout


def foreign_config(encoder: nnx.Module, preprocess: Preprocess | None = None) -> dict[str, Any]:
    """Keys for config.json; none for encoders that no library builds from a file."""
    if isinstance(encoder, ViT) and own_layout(encoder) == "timm":
        return _timm(encoder, preprocess)
    if isinstance(encoder, Bert):
        return _bert(encoder)
    if isinstance(encoder, Swin):
        return _swin(encoder)
    return {}


def _timm(encoder: ViT, preprocess: Preprocess | None) -> dict[str, Any]:
    options = encoder.options
    sizes: dict[str, Any] = dict(
        img_size=options.image_size,
        patch_size=options.patch,
        in_chans=options.channels,
        embed_dim=options.width,
        depth=options.depth,
        num_heads=options.heads,
        mlp_ratio=options.mlp_ratio,
        num_classes=0,
    )
    if options.pooling == "map":
        sizes |= dict(global_pool="map", class_token=False)
    if options.activation != "gelu":
        sizes["act_layer"] = options.activation
    pretrained: dict[str, Any] = dict(
        input_size=[options.channels, options.image_size, options.image_size],
        num_classes=0,
        first_conv="patch_embed.proj",
        classifier="head",
    )
    if preprocess is not None:
        pretrained["crop_pct"] = preprocess.size / preprocess.square  # timm's resize, then crop
        for name in ("mean", "std"):
            value = getattr(preprocess, name)
            channels = value if isinstance(value, tuple) else (value,) * options.channels
            pretrained[name] = list(channels)
    return {
        "architecture": "vit_base_patch16_224",  # every size is set by model_args
        "num_features": options.width,
        "model_args": sizes,
        "pretrained_cfg": pretrained,
    }


def _bert(encoder: Bert) -> dict[str, Any]:
    options = encoder.options
    return dict(
        model_type="bert",
        architectures=["BertModel"],
        vocab_size=options.vocabulary_size,
        hidden_size=options.width,
        num_hidden_layers=options.depth,
        num_attention_heads=options.heads,
        intermediate_size=options.mlp,
        hidden_act="gelu",
        hidden_dropout_prob=options.dropout,
        attention_probs_dropout_prob=options.dropout,
        max_position_embeddings=options.max_length,
        type_vocab_size=options.token_types,
        initializer_range=options.init_std,
        layer_norm_eps=options.epsilon,
        pad_token_id=0,
    )


def _swin(encoder: Swin) -> dict[str, Any]:
    options = encoder.options
    return dict(
        model_type="swin",
        architectures=["SwinModel"],
        image_size=options.image_size,
        patch_size=options.patch,
        num_channels=options.channels,
        embed_dim=options.width,
        depths=list(options.depths),
        num_heads=list(options.heads),
        window_size=options.window,
        mlp_ratio=options.mlp_ratio,
        drop_path_rate=options.path_rate,
        layer_norm_eps=options.epsilon,
        hidden_act="gelu",
    )
