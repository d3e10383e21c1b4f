# SPDX-License-Identifier: Apache-2.0
"""Encoders and heads as nnx modules, and the maps of foreign weights into and out of them."""

from medst_jax.models.bert import Bert, BertOptions, BertOutput
from medst_jax.models.heads import Projection, Prototypes, Temperature, unit_norm
from medst_jax.models.layouts import LAYOUTS
from medst_jax.models.pretrained import from_pretrained, load_pretrained, save_pretrained
from medst_jax.models.resnet import ResNet, ResNetOptions, ResNetOutput
from medst_jax.models.vit import ViT, ViTOptions, ViTOutput
from medst_jax.models.weights_file import PretrainedError

__all__ = [
    "LAYOUTS",
    "Bert",
    "BertOptions",
    "BertOutput",
    "PretrainedError",
    "Projection",
    "Prototypes",
    "ResNet",
    "ResNetOptions",
    "ResNetOutput",
    "Temperature",
    "ViT",
    "ViTOptions",
    "ViTOutput",
    "from_pretrained",
    "load_pretrained",
    "save_pretrained",
    "unit_norm",
]
