# SPDX-License-Identifier: Apache-2.0
"""Today's public encoders in the precisions and in the shards that they are released in."""

import json

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from flax import nnx

from medst_jax.models import (
    Bert,
    BertOptions,
    ResNet,
    ResNetOptions,
    Swin,
    SwinOptions,
    ViT,
    ViTOptions,
)
from medst_jax.models.weights import weights_file
from medst_jax.models.weights.pretrained import from_pretrained, save_pretrained
from tests.models.compiled import build
from tests.models.weights import public_files
from tests.models.weights.public_files import write

VIT = ViTOptions(patch=8, width=64, depth=1, heads=1, mlp_ratio=1.0, image_size=16)
BERT = BertOptions(30, width=24, depth=1, heads=3, mlp=20, max_length=9)
RESNET = ResNetOptions(widths=(4, 4, 6, 6), blocks=(1, 1, 1, 1), strides=(1, 2, 2, 2), stem_width=8)
SWIN = SwinOptions.small(
    image_size=64, width=16, depths=(1, 1, 1), heads=(2, 4, 2), window=4, path_rate=0.1
)
HALVES = {"bfloat16": ml_dtypes.bfloat16, "float16": np.float16}


def named(folder, module, layout, prefix=""):
    save_pretrained(module, folder / "part.safetensors", layout)
    content = safetensors.numpy.load_file(folder / "part.safetensors")
    (folder / "part.safetensors").unlink()
    return {prefix + name: tensor for name, tensor in content.items()}


def normal(*shape):
    return np.random.default_rng(sum(shape)).normal(0, 0.3, shape).astype(np.float32)


def vit():
    return build(lambda: ViT(VIT, rngs=nnx.Rngs(0)), 1)


def bert():
    return build(lambda: Bert(BERT, rngs=nnx.Rngs(0)), 2)


def biomedclip(folder):
    tensors = named(folder, vit(), "timm", "visual.trunk.")
    tensors |= named(folder, bert(), "hf-bert", "text.transformer.")
    tensors |= {"visual.head.proj.weight": normal(10, 64), "text.proj.weight": normal(10, 24)}
    tensors["logit_scale"] = np.float32(2.0)
    text = {"hf_pooler_type": "cls_last_hidden_state_pooler"}
    model = {"embed_dim": 10, "vision_cfg": {"timm_pool": ""}, "text_cfg": text}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": model}))
    return tensors, {"model_type": "bert", "num_attention_heads": 3}


def medclip(folder):
    resnet = build(lambda: ResNet(RESNET, rngs=nnx.Rngs(0)), 3)
    tensors = named(folder, resnet, "torchvision", "vision_model.model.")
    tensors |= named(folder, bert(), "hf-bert", "text_model.model.")
    tensors["vision_model.model.fc.weight"] = normal(10, 24)
    tensors["text_model.projection_head.weight"] = normal(10, 24)
    tensors["logit_scale"] = np.float32(2.0)
    return tensors, {"text_config": {"num_attention_heads": 3}}


def mrm(folder):
    return named(folder, vit(), "timm") | {"mask_token": normal(1, 1, 64)}, None


def ark(folder):
    module = build(lambda: Swin(SWIN, rngs=nnx.Rngs(0)), 4)
    return named(folder, module, "ark"), None


def alone(make):
    return lambda folder: make()


FILES = {
    "hf-siglip": alone(public_files.siglip),
    "hf-clip": alone(public_files.clip),
    "hf-dinov2": alone(lambda: public_files.dinov2(registers=3)),
    "hf-dinov3": alone(public_files.dinov3),
    "biomedclip": biomedclip,
    "medclip": medclip,
    "mrm": mrm,
    "ark": ark,
}
SIZES = {"ark": {"image_size": 64}}  # leaves no trace in its tensors


def arrays(module):
    return {
        path: np.asarray(variable[...], np.float32)
        for path, variable in nnx.to_flat_state(nnx.state(module))
        if np.issubdtype(np.asarray(variable[...]).dtype, np.floating)
    }


def opened(folder, layout):
    return from_pretrained(folder, layout, **SIZES.get(layout, {}))[0]


@pytest.fixture(scope="module", params=FILES)
def released(request, tmp_path_factory):
    """A layout, the folder of its encoder in float32, its tensors, and the arrays they become."""
    folder = tmp_path_factory.mktemp(request.param)
    tensors, config = FILES[request.param](folder)
    tensors = {name: np.asarray(tensor) for name, tensor in tensors.items()}
    write(folder, tensors, config)
    return request.param, folder, tensors, arrays(opened(folder, request.param))


def beside(folder, target):
    """A folder with the configs of another, and no weights."""
    target.mkdir()
    for file in folder.glob("*.json"):
        (target / file.name).write_bytes(file.read_bytes())
    return target


def is_real(tensor):
    return np.issubdtype(tensor.dtype, np.floating)


@pytest.mark.parametrize("name", HALVES)
def test_halves_are_read_and_leave_as_halves(tmp_path, released, name):
    layout, folder, tensors, expected = released
    halves = {k: t.astype(HALVES[name]) if is_real(t) else t for k, t in tensors.items()}
    there = write(beside(folder, tmp_path / "half"), halves)
    module = opened(there, layout)
    found = arrays(module)
    assert found.keys() == expected.keys()
    for path, value in expected.items():
        np.testing.assert_allclose(found[path], value, rtol=1e-2, atol=1e-3, err_msg=str(path))
    save_pretrained(module, tmp_path / "out.safetensors", layout)
    left = weights_file.read(tmp_path / "out.safetensors")
    assert left.keys() == halves.keys()
    for key, tensor in halves.items():
        assert left[key].dtype == tensor.dtype, key
        assert left[key].tobytes() == tensor.tobytes(), key


def test_shards_are_one_file(tmp_path, released):
    layout, folder, tensors, expected = released
    there = beside(folder, tmp_path / "shards")
    place = {}
    for number, names in enumerate(np.array_split(sorted(tensors), 3), 1):
        shard = f"model-{number:05d}-of-00003.safetensors"
        safetensors.numpy.save_file({str(n): tensors[n] for n in names}, there / shard)
        place |= {str(n): shard for n in names}
    index = {"metadata": {"total_size": 0}, "weight_map": place}
    (there / "model.safetensors.index.json").write_text(json.dumps(index))
    found = arrays(opened(there, layout))
    assert found.keys() == expected.keys()
    for path, value in expected.items():
        np.testing.assert_array_equal(found[path], value, err_msg=str(path))
