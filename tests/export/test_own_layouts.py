# SPDX-License-Identifier: Apache-2.0
"""A ViT with what timm has no names for is exported under Hugging Face's."""

import json

import pytest
import safetensors.numpy
from flax import nnx

from medst_jax.export.foreign_config import foreign_config
from medst_jax.export.weights import WEIGHTS, architecture, write_image_encoder
from medst_jax.models import ViT, ViTOptions
from tests.models.compiled import build

SIZES = dict(patch=4, width=24, depth=1, heads=3, mlp_ratio=1.0, image_size=12)


@pytest.mark.parametrize(
    ("changes", "layout", "name"),
    [
        ({}, "timm", "blocks.0.attn.qkv.weight"),
        ({"layer_scale": 0.1, "registers": 2}, "hf-dinov2", "embeddings.register_tokens"),
        ({"layer_scale": 0.1, "rotary": 100.0, "heads": 2}, "hf-dinov3", "layer.0.norm1.weight"),
    ],
)
def test_names_and_outputs_come_back(tmp_path, changes, layout, name):
    encoder = build(lambda: ViT(ViTOptions(**{**SIZES, **changes}), rngs=nnx.Rngs(0)))
    described = architecture(encoder)
    assert described["layout"] == layout
    config = {**foreign_config(encoder), "encoder": described}
    assert ("architecture" in config) == (layout == "timm")
    (tmp_path / "config.json").write_text(json.dumps(config))
    write_image_encoder(encoder, 12, tmp_path)  # compares the outputs
    assert name in safetensors.numpy.load_file(tmp_path / WEIGHTS)
