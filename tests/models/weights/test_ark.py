# SPDX-License-Identifier: Apache-2.0
"""Ark's and MRM's names: timm's Swin before and after 0.8, and what lies beside an encoder."""

import numpy as np
import pytest
import safetensors.numpy
from flax import nnx

from medst_jax.models import Swin, SwinOptions, ViT, ViTOptions
from medst_jax.models.weights.pretrained import from_pretrained, save_pretrained
from medst_jax.models.weights.weights_file import PretrainedError
from tests.models.compiled import build, run
from tests.models.weights.public_files import write

OPTIONS = SwinOptions.small(
    image_size=64, width=16, depths=(2, 2, 1), heads=(2, 4, 2), window=4, path_rate=0.1
)
IMAGES = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype(np.float32)


def released(module, folder, later):
    """The tensors as a trainer of Ark saves them, out of Hugging Face's names of the same model."""
    save_pretrained(module, folder / "hf.safetensors", "hf-swin")
    tensors = {}
    parts = {}
    for name, tensor in safetensors.numpy.load_file(folder / "hf.safetensors").items():
        name = name.replace("embeddings.patch_embeddings.projection", "patch_embed.proj")
        name = name.replace("embeddings.norm", "patch_embed.norm").replace(
            "encoder.layers", "layers"
        )
        for old, new in (
            ("attention.output.dense", "attn.proj"),
            ("attention.self.relative", "attn.relative"),
            ("intermediate.dense", "mlp.fc1"),
            ("output.dense", "mlp.fc2"),
            ("layernorm_before", "norm1"),
            ("layernorm_after", "norm2"),
            ("layernorm", "norm"),
        ):
            name = name.replace(old, new)
        if later and "downsample" in name:
            stage = int(name.split(".")[1])
            name = name.replace(f"layers.{stage}.", f"layers.{stage + 1}.")
        if "attention.self." in name:
            block, key = name.split("attention.self.")
            kind = key.split(".")[1]
            parts.setdefault(f"{block}attn.qkv.{kind}", {})[key.split(".")[0]] = tensor
        else:
            tensors[name] = tensor
    for name, three in parts.items():
        tensors[name] = np.concatenate([three[key] for key in ("query", "key", "value")])
    tensors["omni_heads.0.weight"] = np.ones((14, 64), np.float32)
    tensors["projector.weight"] = np.ones((5, 64), np.float32)
    if not later:
        tensors["layers.0.blocks.1.attn_mask"] = np.zeros((16, 16, 16), np.float32)
        tensors["layers.0.blocks.0.attn.relative_position_index"] = np.zeros((16, 16), np.int64)
    return {f"module.{name}": tensor for name, tensor in tensors.items()}


@pytest.mark.parametrize("later", [False, True])
def test_ark(tmp_path, later):
    source = build(lambda: Swin(OPTIONS, rngs=nnx.Rngs(0)), 1)
    tensors = released(source, tmp_path, later)
    folder = write(tmp_path / "ark", tensors)
    if later:
        with pytest.raises(PretrainedError, match="image size leaves no trace"):
            from_pretrained(folder, "ark")
    module, _ = from_pretrained(folder, "ark", **({"image_size": 64} if later else {}))
    assert module.options == OPTIONS
    np.testing.assert_array_equal(run(module, IMAGES).grid, run(source, IMAGES).grid)
    save_pretrained(module, tmp_path / "out.safetensors", "ark")
    saved = safetensors.numpy.load_file(tmp_path / "out.safetensors")
    assert saved.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert saved[name].tobytes() == np.ascontiguousarray(tensor).tobytes(), name


def test_mrm_is_read_without_its_decoder_and_its_report_encoder(tmp_path):
    options = ViTOptions(patch=8, width=64, depth=1, heads=1, mlp_ratio=1.0, image_size=32)
    source = build(lambda: ViT(options, rngs=nnx.Rngs(0)), 2)
    save_pretrained(source, tmp_path / "model.safetensors", "timm")
    tensors = safetensors.numpy.load_file(tmp_path / "model.safetensors")
    beside = ("mask_token", "decoder_pos_embed", "decoder_blocks.0.norm1.weight")
    beside += ("bert_encoder.model.pooler.dense.weight", "bert_mlp.0.weight")
    tensors |= {name: np.ones((2, 2), np.float32) for name in beside}
    module, _ = from_pretrained(write(tmp_path / "mrm", tensors), "mrm")
    images = IMAGES[:, :32, :32]
    np.testing.assert_array_equal(run(module, images).tokens, run(source, images).tokens)
    save_pretrained(module, tmp_path / "out.safetensors", "mrm")
    assert safetensors.numpy.load_file(tmp_path / "out.safetensors").keys() == tensors.keys()
    with pytest.raises(PretrainedError, match="unexpected bert_encoder"):
        from_pretrained(tmp_path / "mrm", "timm")
