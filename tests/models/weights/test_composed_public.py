# SPDX-License-Identifier: Apache-2.0
"""BiomedCLIP and MedCLIP, put together of an image encoder, a BERT and heads of their own names."""

import json

import numpy as np
import pytest
import safetensors.numpy
from flax import nnx

from medst_jax.models import Bert, BertOptions, ResNet, ResNetOptions, ViT, ViTOptions
from medst_jax.models.weights.pretrained import from_pretrained, load_pretrained, save_pretrained
from medst_jax.models.weights.weights_file import PretrainedError
from tests.models.compiled import build, run
from tests.models.weights.numpy_towers import ACTIVATIONS
from tests.models.weights.public_files import write

VIT = ViTOptions(patch=8, width=64, depth=1, heads=1, mlp_ratio=1.0, image_size=16)
BERT = BertOptions(30, width=24, depth=2, heads=3, mlp=20, max_length=9, dropout=0.1)
RESNET = ResNetOptions(widths=(4, 4, 6, 6), blocks=(1, 1, 1, 1), strides=(1, 2, 2, 2), stem_width=8)
RANDOM = np.random.default_rng(9)
TOKENS = RANDOM.integers(5, 30, (2, 6)).astype(np.int32)
MASK = np.arange(6) < np.array([[6], [4]])


def saved(module, layout, folder, prefix):
    save_pretrained(module, folder / "part.safetensors", layout)
    content = safetensors.numpy.load_file(folder / "part.safetensors")
    return {prefix + name: tensor for name, tensor in content.items()}


def normal(*shape):
    return RANDOM.normal(0, 0.3, shape).astype(np.float32)


def states():
    bert = build(lambda: Bert(BERT, rngs=nnx.Rngs(0)), 1)
    return bert, [np.asarray(s, np.float64) for s in run(bert, TOKENS, MASK).hidden_states]


def assert_close(found, expected):
    np.testing.assert_allclose(np.asarray(found, np.float64), expected, atol=2e-5)


@pytest.mark.parametrize("projection", ["linear", "mlp"])
@pytest.mark.parametrize(
    ("key", "pooler"),
    [
        ("hf_pooler_type", "cls_last_hidden_state_pooler"),
        ("pooler_type", "cls_pooler"),
        ("hf_pooler_type", "mean_pooler"),
        ("", "mean_pooler"),
    ],
)
def test_biomedclip_pools_and_projects_as_its_config_says(tmp_path, projection, key, pooler):
    vit = build(lambda: ViT(VIT, rngs=nnx.Rngs(0)), 2)
    bert, hidden = states()
    tensors = saved(vit, "timm", tmp_path, "visual.trunk.")
    tensors |= saved(bert, "hf-bert", tmp_path, "text.transformer.")
    tensors["visual.head.proj.weight"] = normal(10, 64)
    tensors["logit_scale"] = np.float32(2.0)
    text = {key: pooler} if key else {}
    pooled = {
        "cls_last_hidden_state_pooler": hidden[-1][:, 0],
        "cls_pooler": hidden[-1][:, 0],
        "mean_pooler": (hidden[-1] * MASK[..., None]).sum(1) / MASK.sum(1, keepdims=True),
    }[pooler]
    if pooler == "cls_pooler":
        name = "text.transformer.pooler.dense"
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = normal(24, 24), normal(24)
        pooled = np.tanh(pooled @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"])
    if projection == "linear":
        tensors["text.proj.weight"] = normal(10, 24)
        expected = pooled @ tensors["text.proj.weight"].T
    else:
        tensors["text.proj.0.weight"], tensors["text.proj.2.weight"] = (
            normal(17, 24),
            normal(10, 17),
        )
        inner = ACTIVATIONS["gelu"](pooled @ tensors["text.proj.0.weight"].T)
        expected = inner @ tensors["text.proj.2.weight"].T
    vision = {"timm_model_name": "vit_base_patch16_224", "timm_pool": "", "timm_proj": "linear"}
    config = {"model_cfg": {"embed_dim": 10, "vision_cfg": vision, "text_cfg": text}}
    write(tmp_path, tensors, config, "open_clip_config.json")
    (tmp_path / "part.safetensors").unlink()
    # The text encoder's own config: 3 heads, as nobody could tell from the tensors.
    own = {"model_type": "bert", "num_attention_heads": 3}
    (tmp_path / "config.json").write_text(json.dumps(own))
    module, _ = from_pretrained(tmp_path, "biomedclip")
    assert_close(run(module.text, TOKENS, MASK).global_, expected)
    images = RANDOM.normal(size=(2, 16, 16, 3)).astype(np.float32)
    feature = np.asarray(run(vit, images).pooled, np.float64)
    assert_close(run(module.image, images).global_, feature @ tensors["visual.head.proj.weight"].T)
    save_pretrained(module, tmp_path / "out.safetensors", "biomedclip")
    left = safetensors.numpy.load_file(tmp_path / "out.safetensors")
    assert {k: v.tobytes() for k, v in left.items()} == {
        k: np.asarray(v).tobytes() for k, v in tensors.items()
    }


@pytest.mark.parametrize(
    ("part", "key", "value", "message"),
    [
        ("vision_cfg", "timm_pool", "avg", "timm_pool 'avg'"),
        ("vision_cfg", "timm_proj", "mlp", "timm_proj 'mlp'"),
        ("text_cfg", "hf_pooler_type", "max_pooler", "hf_pooler_type is 'max_pooler'"),
        ("", "", "", r"put open_clip_config\.json beside"),
    ],
)
def test_biomedclips_that_compute_something_else_are_refused(tmp_path, part, key, value, message):
    vit = build(lambda: ViT(VIT, rngs=nnx.Rngs(0)), 2)
    bert, _ = states()
    tensors = saved(vit, "timm", tmp_path, "visual.trunk.")
    tensors |= saved(bert, "hf-bert", tmp_path, "text.transformer.")
    tensors["visual.head.proj.weight"], tensors["text.proj.weight"] = normal(10, 64), normal(10, 24)
    tensors["logit_scale"] = np.float32(2.0)
    model = {"embed_dim": 10, "vision_cfg": {"timm_pool": ""}, "text_cfg": {}}
    if part:
        model[part][key] = value
    config = {"model_cfg": model} if part else None
    folder = write(tmp_path / "model", tensors, config, "open_clip_config.json")
    (folder / "config.json").write_text('{"model_type": "bert", "num_attention_heads": 3}')
    with pytest.raises(PretrainedError, match=message):
        from_pretrained(folder, "biomedclip")


def test_medclips_resnet_projects_by_its_classifier_and_averages_the_padding(tmp_path):
    resnet = build(lambda: ResNet(RESNET, rngs=nnx.Rngs(0)), 3)
    bert, hidden = states()
    tensors = saved(resnet, "torchvision", tmp_path, "vision_model.model.")
    tensors |= saved(bert, "hf-bert", tmp_path, "text_model.model.")
    tensors["vision_model.model.fc.weight"] = normal(10, 24)
    tensors["text_model.projection_head.weight"] = normal(10, 24)
    tensors["logit_scale"] = np.float32(9.0)
    folder = write(tmp_path / "model", tensors, {"text_config": {"num_attention_heads": 3}})
    module, _ = from_pretrained(folder, "medclip")
    states_mean = np.mean([hidden[1], hidden[2], hidden[-1]], 0)
    expected = states_mean.mean(1) @ tensors["text_model.projection_head.weight"].T
    expected /= np.linalg.norm(expected, axis=-1, keepdims=True)
    assert_close(run(module.text, TOKENS, MASK).global_, expected)
    images = RANDOM.normal(size=(2, 64, 64, 3)).astype(np.float32)
    feature = np.asarray(run(resnet, images).pooled, np.float64)
    expected = feature @ tensors["vision_model.model.fc.weight"].T
    expected /= np.linalg.norm(expected, axis=-1, keepdims=True)
    assert_close(run(module.image, images).global_, expected)
    np.testing.assert_allclose(module.further["scale"](), 100, rtol=1e-6)
    save_pretrained(module, tmp_path / "out.safetensors", "medclip")
    assert safetensors.numpy.load_file(tmp_path / "out.safetensors").keys() == tensors.keys()
    alone = build(lambda: Bert(BERT, rngs=nnx.Rngs(0)), 5)
    load_pretrained(alone, folder, "medclip")
    assert_close(run(alone, TOKENS, MASK).hidden_states[-1], hidden[-1])
