# SPDX-License-Identifier: Apache-2.0
"""Encoders and heads as nnx modules, and the maps of foreign weights into and out of them.

`layers/` are parts of encoders, `encoders/` whole ones, `heads/` what stands on top of them,
`weights/` reads and writes released files. May import `medst_jax.parallel` and the tokenizers
of `medst_jax.data`; knows no loss and no system.
"""

from typing import TYPE_CHECKING

from medst_jax.on_demand import names_on_demand

if TYPE_CHECKING:
    from medst_jax.models.encoders.bert import Bert as Bert
    from medst_jax.models.encoders.bert import BertOptions as BertOptions
    from medst_jax.models.encoders.bert import BertOutput as BertOutput
    from medst_jax.models.encoders.clip_transformer import ClipImage as ClipImage
    from medst_jax.models.encoders.clip_transformer import ClipImageOptions as ClipImageOptions
    from medst_jax.models.encoders.clip_transformer import ClipText as ClipText
    from medst_jax.models.encoders.clip_transformer import ClipTextOptions as ClipTextOptions
    from medst_jax.models.encoders.grid_resnet import GridResNet as GridResNet
    from medst_jax.models.encoders.grid_resnet import grid_resnet_options as grid_resnet_options
    from medst_jax.models.encoders.hybrid_temporal_encoder import (
        HybridTemporalEncoder as HybridTemporalEncoder,
    )
    from medst_jax.models.encoders.hybrid_temporal_encoder import (
        HybridTemporalOptions as HybridTemporalOptions,
    )
    from medst_jax.models.encoders.hybrid_temporal_encoder import (
        HybridTemporalOutput as HybridTemporalOutput,
    )
    from medst_jax.models.encoders.hybrid_view_experts import HybridViewExperts as HybridViewExperts
    from medst_jax.models.encoders.hybrid_view_experts import (
        HybridViewExpertsOptions as HybridViewExpertsOptions,
    )
    from medst_jax.models.encoders.mixture_of_view_experts import (
        MixtureOfViewExperts as MixtureOfViewExperts,
    )
    from medst_jax.models.encoders.mixture_of_view_experts import (
        ViewExpertsOutput as ViewExpertsOutput,
    )
    from medst_jax.models.encoders.resnet import ResNet as ResNet
    from medst_jax.models.encoders.resnet import ResNetOptions as ResNetOptions
    from medst_jax.models.encoders.resnet import ResNetOutput as ResNetOutput
    from medst_jax.models.encoders.swin import Swin as Swin
    from medst_jax.models.encoders.swin import SwinOptions as SwinOptions
    from medst_jax.models.encoders.swin import SwinOutput as SwinOutput
    from medst_jax.models.encoders.text_transformer import TextTransformer as TextTransformer
    from medst_jax.models.encoders.text_transformer import (
        TextTransformerOptions as TextTransformerOptions,
    )
    from medst_jax.models.encoders.text_transformer import (
        TextTransformerOutput as TextTransformerOutput,
    )
    from medst_jax.models.encoders.towers import ImageTextModel as ImageTextModel
    from medst_jax.models.encoders.towers import ImageTower as ImageTower
    from medst_jax.models.encoders.towers import TextTower as TextTower
    from medst_jax.models.encoders.towers import TowerOutput as TowerOutput
    from medst_jax.models.encoders.variational import (
        VariationalAutoencoder as VariationalAutoencoder,
    )
    from medst_jax.models.encoders.variational import VariationalOptions as VariationalOptions
    from medst_jax.models.encoders.vit import ViT as ViT
    from medst_jax.models.encoders.vit import ViTOptions as ViTOptions
    from medst_jax.models.encoders.vit import ViTOutput as ViTOutput
    from medst_jax.models.heads.contrastive import Projection as Projection
    from medst_jax.models.heads.contrastive import Prototypes as Prototypes
    from medst_jax.models.heads.contrastive import Temperature as Temperature
    from medst_jax.models.heads.contrastive import unit_norm as unit_norm
    from medst_jax.models.heads.masked_language import MaskedLanguageBert as MaskedLanguageBert
    from medst_jax.models.heads.masked_language import MaskedLanguageHead as MaskedLanguageHead
    from medst_jax.models.heads.projection_heads import BatchNormHead as BatchNormHead
    from medst_jax.models.heads.projection_heads import ClassTokenHead as ClassTokenHead
    from medst_jax.models.heads.projection_heads import LinearHead as LinearHead
    from medst_jax.models.heads.projection_heads import MlpHead as MlpHead
    from medst_jax.models.heads.projection_heads import PatchProjector as PatchProjector
    from medst_jax.models.heads.projection_heads import ResidualHead as ResidualHead
    from medst_jax.models.heads.projection_heads import aligning_head as aligning_head
    from medst_jax.models.heads.query_decoder import QueryDecoder as QueryDecoder
    from medst_jax.models.heads.query_decoder import QueryDecoderOptions as QueryDecoderOptions
    from medst_jax.models.heads.query_decoder import QueryOutput as QueryOutput
    from medst_jax.models.heads.token_weights import TokenWeights as TokenWeights
    from medst_jax.models.heads.token_weights import clipped_shares as clipped_shares
    from medst_jax.models.layers.cross_attention import CrossAttention as CrossAttention
    from medst_jax.models.layers.word_pieces import aggregate_words as aggregate_words
    from medst_jax.models.layers.word_pieces import word_numbers as word_numbers
    from medst_jax.models.weights.layout_registry import LAYOUTS as LAYOUTS
    from medst_jax.models.weights.layouts.view_experts import experts_of_vit as experts_of_vit
    from medst_jax.models.weights.pretrained import from_pretrained as from_pretrained
    from medst_jax.models.weights.pretrained import load_pretrained as load_pretrained
    from medst_jax.models.weights.pretrained import save_pretrained as save_pretrained
    from medst_jax.models.weights.weights_file import PretrainedError as PretrainedError

__getattr__, __dir__, __all__ = names_on_demand(
    __name__,
    {
        "BatchNormHead": "heads.projection_heads",
        "Bert": "encoders.bert",
        "BertOptions": "encoders.bert",
        "BertOutput": "encoders.bert",
        "ClassTokenHead": "heads.projection_heads",
        "ClipImage": "encoders.clip_transformer",
        "ClipImageOptions": "encoders.clip_transformer",
        "ClipText": "encoders.clip_transformer",
        "ClipTextOptions": "encoders.clip_transformer",
        "CrossAttention": "layers.cross_attention",
        "GridResNet": "encoders.grid_resnet",
        "HybridTemporalEncoder": "encoders.hybrid_temporal_encoder",
        "HybridTemporalOptions": "encoders.hybrid_temporal_encoder",
        "HybridTemporalOutput": "encoders.hybrid_temporal_encoder",
        "HybridViewExperts": "encoders.hybrid_view_experts",
        "HybridViewExpertsOptions": "encoders.hybrid_view_experts",
        "ImageTextModel": "encoders.towers",
        "ImageTower": "encoders.towers",
        "LAYOUTS": "weights.layout_registry",
        "LinearHead": "heads.projection_heads",
        "MaskedLanguageBert": "heads.masked_language",
        "MaskedLanguageHead": "heads.masked_language",
        "MixtureOfViewExperts": "encoders.mixture_of_view_experts",
        "MlpHead": "heads.projection_heads",
        "PatchProjector": "heads.projection_heads",
        "PretrainedError": "weights.weights_file",
        "Projection": "heads.contrastive",
        "Prototypes": "heads.contrastive",
        "QueryDecoder": "heads.query_decoder",
        "QueryDecoderOptions": "heads.query_decoder",
        "QueryOutput": "heads.query_decoder",
        "ResNet": "encoders.resnet",
        "ResNetOptions": "encoders.resnet",
        "ResNetOutput": "encoders.resnet",
        "ResidualHead": "heads.projection_heads",
        "Swin": "encoders.swin",
        "SwinOptions": "encoders.swin",
        "SwinOutput": "encoders.swin",
        "Temperature": "heads.contrastive",
        "TextTower": "encoders.towers",
        "TextTransformer": "encoders.text_transformer",
        "TextTransformerOptions": "encoders.text_transformer",
        "TextTransformerOutput": "encoders.text_transformer",
        "TokenWeights": "heads.token_weights",
        "TowerOutput": "encoders.towers",
        "VariationalAutoencoder": "encoders.variational",
        "VariationalOptions": "encoders.variational",
        "ViT": "encoders.vit",
        "ViTOptions": "encoders.vit",
        "ViTOutput": "encoders.vit",
        "ViewExpertsOutput": "encoders.mixture_of_view_experts",
        "aggregate_words": "layers.word_pieces",
        "aligning_head": "heads.projection_heads",
        "clipped_shares": "heads.token_weights",
        "experts_of_vit": "weights.layouts.view_experts",
        "from_pretrained": "weights.pretrained",
        "grid_resnet_options": "encoders.grid_resnet",
        "load_pretrained": "weights.pretrained",
        "save_pretrained": "weights.pretrained",
        "unit_norm": "heads.contrastive",
        "word_numbers": "layers.word_pieces",
    },
)
