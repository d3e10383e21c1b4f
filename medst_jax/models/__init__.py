# SPDX-License-Identifier: Apache-2.0
"""Encoders and heads as nnx modules, and the maps of foreign weights into and out of them."""

from medst_jax.models.bert import Bert, BertOptions, BertOutput
from medst_jax.models.clip_transformer import (
    ClipImage,
    ClipImageOptions,
    ClipText,
    ClipTextOptions,
)
from medst_jax.models.cross_attention import CrossAttention
from medst_jax.models.grid_resnet import GridResNet, grid_resnet_options
from medst_jax.models.heads import Projection, Prototypes, Temperature, unit_norm
from medst_jax.models.hybrid_temporal_encoder import (
    HybridTemporalEncoder,
    HybridTemporalOptions,
    HybridTemporalOutput,
)
from medst_jax.models.hybrid_view_experts import HybridViewExperts, HybridViewExpertsOptions
from medst_jax.models.layouts import LAYOUTS
from medst_jax.models.masked_language import MaskedLanguageBert, MaskedLanguageHead
from medst_jax.models.mixture_of_view_experts import (
    MixtureOfViewExperts,
    ViewExpertsOutput,
    experts_of_vit,
)
from medst_jax.models.pretrained import from_pretrained, load_pretrained, save_pretrained
from medst_jax.models.projection_heads import (
    BatchNormHead,
    ClassTokenHead,
    LinearHead,
    MlpHead,
    PatchProjector,
    ResidualHead,
    aligning_head,
)
from medst_jax.models.resnet import ResNet, ResNetOptions, ResNetOutput
from medst_jax.models.swin import Swin, SwinOptions, SwinOutput
from medst_jax.models.text_transformer import (
    TextTransformer,
    TextTransformerOptions,
    TextTransformerOutput,
)
from medst_jax.models.token_weights import TokenWeights, clipped_shares
from medst_jax.models.towers import ImageTextModel, ImageTower, TextTower, TowerOutput
from medst_jax.models.variational import VariationalAutoencoder, VariationalOptions
from medst_jax.models.vit import ViT, ViTOptions, ViTOutput
from medst_jax.models.weights_file import PretrainedError
from medst_jax.models.word_pieces import aggregate_words, word_numbers

__all__ = [
    "LAYOUTS",
    "BatchNormHead",
    "Bert",
    "BertOptions",
    "BertOutput",
    "ClassTokenHead",
    "ClipImage",
    "ClipImageOptions",
    "ClipText",
    "ClipTextOptions",
    "CrossAttention",
    "GridResNet",
    "HybridTemporalEncoder",
    "HybridTemporalOptions",
    "HybridTemporalOutput",
    "HybridViewExperts",
    "HybridViewExpertsOptions",
    "ImageTextModel",
    "ImageTower",
    "LinearHead",
    "MaskedLanguageBert",
    "MaskedLanguageHead",
    "MixtureOfViewExperts",
    "MlpHead",
    "PatchProjector",
    "PretrainedError",
    "Projection",
    "Prototypes",
    "ResNet",
    "ResNetOptions",
    "ResNetOutput",
    "ResidualHead",
    "Swin",
    "SwinOptions",
    "SwinOutput",
    "Temperature",
    "TextTower",
    "TextTransformer",
    "TextTransformerOptions",
    "TextTransformerOutput",
    "TokenWeights",
    "TowerOutput",
    "VariationalAutoencoder",
    "VariationalOptions",
    "ViT",
    "ViTOptions",
    "ViTOutput",
    "ViewExpertsOutput",
    "aggregate_words",
    "aligning_head",
    "clipped_shares",
    "experts_of_vit",
    "from_pretrained",
    "grid_resnet_options",
    "load_pretrained",
    "save_pretrained",
    "unit_norm",
    "word_numbers",
]
