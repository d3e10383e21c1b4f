# SPDX-License-Identifier: Apache-2.0
"""Files as trainers and hubs leave them: prefixes, old names, half precision, configs that matter."""

import json

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from flax import nnx

from medst_jax.models import Bert, BertOptions, ResNet, ResNetOptions, ViT, ViTOptions
from medst_jax.models.encoders.clip_transformer import (
    ClipImage,
    ClipImageOptions,
    ClipText,
    ClipTextOptions,
)
from medst_jax.models.encoders.towers import ImageTextModel
from medst_jax.models.heads.contrastive import Temperature
from medst_jax.models.weights import weights_file
from medst_jax.models.weights.foreign import arrays
from medst_jax.models.weights.pretrained import from_pretrained, load_pretrained, save_pretrained
from medst_jax.models.weights.weights_file import PretrainedError
from tests.models.compiled import build

FILE = "model.safetensors"


def bert() -> Bert:
    options = BertOptions.small(30, width=8, heads=2, mlp=16, depth=1, max_length=16)
    return build(lambda: Bert(options, rngs=nnx.Rngs(0)), 0)


def resnet() -> ResNet:
    options = ResNetOptions.small(widths=(8,), blocks=(2,), strides=(1,), stem_width=8)
    return build(lambda: ResNet(options, rngs=nnx.Rngs(0)), 0)


def vit() -> ViT:
    options = ViTOptions.small(width=64, depth=1, heads=1, image_size=32)
    return build(lambda: ViT(options, rngs=nnx.Rngs(0)), 0)


def clip() -> ImageTextModel:
    image = ClipImageOptions(
        patch=4, width=64, depth=1, heads=1, mlp=32, image_size=8, channels=3, joint=6
    )
    text = ClipTextOptions(
        vocabulary_size=9, width=64, depth=1, heads=1, mlp=32, max_length=5, joint=6
    )

    def make() -> ImageTextModel:
        rngs = nnx.Rngs(0)
        towers = ClipImage(image, rngs=rngs), ClipText(text, rngs=rngs)
        return ImageTextModel(*towers, {"scale": Temperature()})

    return build(make, 0)


MODULES = {"hf-bert": bert, "torchvision": resnet, "timm": vit, "open-clip": clip}
CONFIGS = {"hf-bert": {"num_attention_heads": 2}}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The tensors of each module under its layout, and the module's arrays."""
    folder = tmp_path_factory.mktemp("saved")
    files = {}
    for layout, make in MODULES.items():
        module = make()
        save_pretrained(module, folder / f"{layout}.safetensors", layout)
        files[layout] = (
            safetensors.numpy.load_file(folder / f"{layout}.safetensors"),
            arrays(module),
        )
    return files


def write(folder, tensors, config=None, name="config.json"):
    safetensors.numpy.save_file(tensors, folder / FILE, {"format": "pt"})
    if config is not None:
        (folder / name).write_text(json.dumps(config))
    return folder


def assert_same(module, expected, **tolerance):
    values = arrays(module)
    assert values.keys() == expected.keys()
    for path, value in expected.items():
        np.testing.assert_allclose(values[path], value, **tolerance, err_msg=str(path))


@pytest.mark.parametrize("layout", MODULES)
@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "module.backbone.", "state.net.0.", "student.backbone."]
)
def test_a_trainers_prefix_is_taken_off_and_put_back(tmp_path, saved, layout, prefix):
    tensors, expected = saved[layout]
    wrapped = {prefix + name: tensor for name, tensor in tensors.items()}
    if (layout, prefix) != ("open-clip", "module."):  # a layout's own prefix has no strangers
        # A trainer's own head lies beside the model.
        wrapped["projector.weight"] = np.ones((2, 2), np.float32)
    write(tmp_path, wrapped, CONFIGS.get(layout))
    module, _ = from_pretrained(tmp_path, layout)
    assert_same(module, expected, rtol=0)
    again = MODULES[layout]()
    load_pretrained(again, tmp_path, layout)
    assert_same(again, expected, rtol=0)
    save_pretrained(module, tmp_path / "out.safetensors", layout)
    left = safetensors.numpy.load_file(tmp_path / "out.safetensors")
    assert left.keys() == wrapped.keys()


def test_a_trainers_prefix_before_one_that_the_layout_knows(tmp_path, saved):
    tensors, expected = saved["hf-bert"]
    wrapped = {f"module.bert.{name}": tensor for name, tensor in tensors.items()}
    module, _ = from_pretrained(write(tmp_path, wrapped, CONFIGS["hf-bert"]), "hf-bert")
    assert_same(module, expected, rtol=0)


@pytest.mark.parametrize("prefixes", [("student.", "teacher."), ("module.a.", "module.b.")])
def test_two_models_in_a_file_are_named_and_one_is_chosen(tmp_path, saved, prefixes):
    tensors, expected = saved["hf-bert"]
    both = {p + name: t * (k + 1) for k, p in enumerate(prefixes) for name, t in tensors.items()}
    write(tmp_path, both, CONFIGS["hf-bert"])
    with pytest.raises(PretrainedError, match=f"'{prefixes[0]}' and '{prefixes[1]}'; choose one"):
        from_pretrained(tmp_path, "hf-bert")
    module, _ = from_pretrained(tmp_path, "hf-bert", prefix=prefixes[0])
    assert_same(module, expected, rtol=0)
    with pytest.raises(PretrainedError, match="no name starts with 'ema.'"):
        from_pretrained(tmp_path, "hf-bert", prefix="ema.")


def test_a_prefix_that_leads_to_half_a_model_is_named(tmp_path, saved):
    tensors, _ = saved["hf-bert"]
    half = {f"module.{name}": t for name, t in tensors.items() if "intermediate" not in name}
    with pytest.raises(PretrainedError, match=r"names start with 'module\.'"):
        from_pretrained(write(tmp_path, half), "hf-bert")


@pytest.mark.parametrize("prefix", ["", "bert.", "module.", "module.bert."])
def test_norms_by_their_old_names(tmp_path, saved, prefix):
    tensors, expected = saved["hf-bert"]
    names = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    old = {}
    for name, tensor in tensors.items():
        for new, before in names.items():
            name = name.replace(new, before)
        old[prefix + name] = tensor
    module, _ = from_pretrained(write(tmp_path, old, CONFIGS["hf-bert"]), "hf-bert")
    assert_same(module, expected, rtol=0)
    save_pretrained(module, tmp_path / "out.safetensors", "hf-bert")
    assert safetensors.numpy.load_file(tmp_path / "out.safetensors").keys() == old.keys()
    old[f"{prefix}embeddings.LayerNorm.weight"] = tensors["embeddings.LayerNorm.weight"]
    with pytest.raises(PretrainedError, match="are one tensor"):
        from_pretrained(write(tmp_path, old), "hf-bert")


@pytest.mark.parametrize("layout", MODULES)
@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, np.float16, np.float64])
def test_other_precisions_are_read_and_written_back(tmp_path, saved, layout, dtype):
    tensors, expected = saved[layout]
    write(tmp_path, {n: t.astype(dtype) for n, t in tensors.items()}, CONFIGS.get(layout))
    module, _ = from_pretrained(tmp_path, layout)
    assert_same(module, expected, rtol=1e-2, atol=1e-3)
    save_pretrained(module, tmp_path / "out.safetensors", layout)
    assert {t.dtype for t in weights_file.read(tmp_path / "out.safetensors").values()} == {
        np.dtype(dtype)
    }


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "roberta"}, "model_type 'roberta'"),
        ({"model_type": "xlm-roberta"}, "model_type 'xlm-roberta'"),
        ({"model_type": "camembert"}, "model_type 'camembert'"),
        ({"model_type": "electra"}, "model_type 'electra'"),
        ({"hidden_act": "relu"}, "hidden_act is 'relu'"),
        ({"hidden_act": "gelu_new"}, "hidden_act is 'gelu_new'"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type is 'relative_key'"),
        ({"is_decoder": True}, "is_decoder is true"),
    ],
)
def test_configs_of_another_model_are_refused(tmp_path, saved, config, message):
    write(tmp_path, saved["hf-bert"][0], {**CONFIGS["hf-bert"], **config})
    with pytest.raises(PretrainedError, match=message):
        from_pretrained(tmp_path, "hf-bert")
    with pytest.raises(PretrainedError, match=message):
        load_pretrained(bert(), tmp_path, "hf-bert")


def test_heads_of_the_config_are_those_of_the_module(tmp_path, saved):
    write(tmp_path, saved["hf-bert"][0], {"num_attention_heads": 4})
    assert from_pretrained(tmp_path, "hf-bert")[0].options.heads == 4
    with pytest.raises(PretrainedError, match="has 4 attention heads, the module 2"):
        load_pretrained(bert(), tmp_path, "hf-bert")


@pytest.mark.parametrize(
    ("model", "activation", "heads"),
    [
        ({"embed_dim": 6}, "gelu", 1),
        ({"embed_dim": 6, "quick_gelu": True}, "quick_gelu", 1),
        ({"embed_dim": 6, "quick_gelu": False}, "gelu", 1),
        ({"embed_dim": 6, "vision_cfg": {"head_width": 16}, "text_cfg": {"heads": 2}}, "gelu", 4),
        (None, "quick_gelu", 1),
    ],
)
def test_a_hub_folder_of_open_clip_says_its_activation_and_heads(
    tmp_path, saved, model, activation, heads
):
    config = None if model is None else {"model_cfg": model, "preprocess_cfg": {}}
    write(tmp_path, saved["open-clip"][0], config, "open_clip_config.json")
    if model is not None:  # the text encoder's own config says nothing of the towers
        (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    module, _ = from_pretrained(tmp_path, "open-clip")
    assert module.image.options.activation == module.text.options.activation == activation
    assert module.image.options.heads == heads
    assert module.text.options.heads == (2 if heads == 4 else 1)


@pytest.mark.parametrize(
    ("tower", "key", "value"),
    [
        ("vision_cfg", "timm_model_name", "vit_base"),
        ("vision_cfg", "attentional_pool", True),
        ("vision_cfg", "pool_type", "avg"),
        ("text_cfg", "no_causal_mask", True),
        ("text_cfg", "pool_type", "last"),
        ("text_cfg", "hf_model_name", "roberta-base"),
    ],
)
def test_towers_that_compute_something_else_are_refused(tmp_path, saved, tower, key, value):
    config = {"model_cfg": {"embed_dim": 6, tower: {key: value}}}
    write(tmp_path, saved["open-clip"][0], config, "open_clip_config.json")
    with pytest.raises(PretrainedError, match=f"{tower}.{key} is"):
        from_pretrained(tmp_path, "open-clip")


@pytest.mark.parametrize(
    ("config", "activation"),
    [
        ({"architecture": "vit_base_patch32_clip_quickgelu_224"}, "quick_gelu"),
        ({"architecture": "vit_base_patch16_224"}, "gelu"),
        ({"model_args": {"act_layer": "gelu_tanh"}}, "gelu_tanh"),
    ],
)
def test_timm_says_its_activation(tmp_path, saved, config, activation):
    write(tmp_path, saved["timm"][0], config)
    module, _ = from_pretrained(tmp_path, "timm")
    assert module.options.activation == activation
    if activation != "gelu":
        with pytest.raises(PretrainedError, match=f"is of a ViT with {activation}"):
            load_pretrained(vit(), tmp_path, "timm")


def test_an_unknown_activation_is_refused(tmp_path, saved):
    write(tmp_path, saved["timm"][0], {"model_args": {"act_layer": "relu"}})
    with pytest.raises(PretrainedError, match="activation 'relu' is unknown"):
        from_pretrained(tmp_path, "timm")
