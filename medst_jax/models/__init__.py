# SPDX-License-Identifier: Apache-2.0
"""Encoders and heads as nnx modules, and the maps of foreign weights into and out of them."""

from medst_jax.models.bert import Bert, BertOptions, BertOutput
from medst_jax.models.heads import Projection, Prototypes, Temperature, unit_norm
from medst_jax.models.resnet import ResNet, ResNetOptions, ResNetOutput
from medst_jax.models.vit import ViT, ViTOptions, ViTOutput

__all__ = [
    "Bert",
    "BertOptions",
    "BertOutput",
    "Projection",
    "Prototypes",
    "ResNet",
    "ResNetOptions",
    "ResNetOutput",
    "Temperature",
    "ViT",
    "ViTOptions",
    "ViTOutput",
    "unit_norm",
]
