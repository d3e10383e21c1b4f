# SPDX-License-Identifier: Apache-2.0
"""Released checkpoints' layouts against PyTorch (tests/models/weights/stored/make_released_models.py)."""

import pathlib

import numpy as np
import pytest
import safetensors.numpy
from flax import nnx

from medst_jax.models import (
    Bert,
    MixtureOfViewExperts,
    ResNet,
    ViT,
    from_pretrained,
    load_pretrained,
    save_pretrained,
)
from tests.models.compiled import run

DATA = pathlib.Path(__file__).parent / "stored" / "released"
LAYOUT = {"mgca-vit": "mgca", "mgca-resnet": "mgca", "cxr-bert": "biovil"}
LAYOUT |= {"cxr-clip-resnet": "cxr-clip", "cxr-clip-swin": "cxr-clip"}
FOLDERS = sorted(path.name for path in DATA.iterdir())


def opened(name):
    module, tokenizer = from_pretrained(DATA / name, LAYOUT.get(name, name))
    assert tokenizer is None
    return module, dict(np.load(DATA / name / "expected.npz"))


def texts(data):
    tokens = data["tokens"].astype(np.int32)
    return (tokens, data["token_mask"], *([data["continues"]] if "continues" in data else []))


def assert_close(found, expected, mask=None):
    found, expected = np.asarray(found, np.float32), np.asarray(expected)
    assert found.shape == expected.shape
    if mask is not None:
        found, expected = found[mask], expected[mask]
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("name", FOLDERS)
def test_what_comes_in_leaves_byte_for_byte(tmp_path, name):
    module, _ = opened(name)
    save_pretrained(module, tmp_path / "model.safetensors", LAYOUT.get(name, name))
    original = safetensors.numpy.load_file(DATA / name / "model.safetensors")
    saved = safetensors.numpy.load_file(tmp_path / "model.safetensors")
    assert saved.keys() == original.keys()
    for key, tensor in original.items():
        assert saved[key].dtype == tensor.dtype, key
        assert saved[key].shape == tensor.shape, key
        assert saved[key].tobytes() == tensor.tobytes(), key


def test_biovil():
    module, data = opened("biovil")
    out = run(module, data["images"])
    assert_close(out.features, data["features"])
    assert_close(out.local, data["local"])
    assert_close(out.global_, data["global_"])
    dilated, _ = from_pretrained(DATA / "biovil", "biovil", dilate_last=True)
    assert_close(run(dilated.encoder, data["images"]).stages[-1], data["dilated"])


def test_biovil_t():
    module, data = opened("biovil-t")
    images, prior = data["images"], data["prior"]
    for case, inputs in (("with", (images, prior)), ("without", (images,))):
        out = run(module, *inputs)
        assert_close(run(module.encoder, *inputs).patches, data[f"{case}_patches"])
        assert_close(out.features, data[f"{case}_features"])
        assert_close(out.local, data[f"{case}_local"])
        assert_close(out.global_, data[f"{case}_global"])
    mixed = run(module.encoder, images, prior, np.array([False, True])).patches
    assert_close(mixed[0], data["without_patches"][0])
    assert_close(mixed[1], data["with_patches"][1])


def test_cxr_bert_and_the_masked_language_head():
    tower, data = opened("cxr-bert")
    assert_close(run(tower, *texts(data)).global_, data["global_"])
    model, data = opened("hf-bert")
    tokens, mask = texts(data)
    out = run(model, tokens, mask)
    for state, expected in zip(out.hidden_states, data["hidden_states"], strict=True):
        assert_close(state, expected, mask)
    assert_close(out.logits, data["logits"], mask)
    for layer, expected in enumerate(data["attentions"]):
        found = np.asarray(model.attention(out, mask, layer)).swapaxes(1, 2)
        assert_close(found, expected.swapaxes(1, 2), mask)


def test_swin():
    module, data = opened("hf-swin")
    out = run(module, data["images"])
    assert_close(out.patches, data["patches"])
    assert_close(out.pooled, data["pooled"])


def test_timm():
    module, data = opened("timm")
    assert_close(run(module, data["images"]).tokens, data["tokens"])


@pytest.mark.parametrize("name", ["mgca-vit", "mgca-resnet", "medst"])
def test_mgca_and_medst(name):
    module, data = opened(name)
    views = (data["lateral"], data["has_lateral"]) if name == "medst" else ()
    image = run(module.image, data["images"], *views)
    assert_close(image.features, data["image_features"])
    assert_close(image.global_, data["image_global"])
    assert_close(image.local, data["image_local"])
    text = run(module.text, *texts(data))
    np.testing.assert_array_equal(text.mask, data["word_mask"])
    assert_close(text.features, data["text_features"])
    assert_close(text.global_, data["text_global"])
    assert_close(text.local, data["text_local"])
    tokens, mask = texts(data)[:2]
    encoder = module.text.encoder
    attention = encoder.attention(run(encoder, tokens, mask), mask)
    assert_close(attention.swapaxes(1, 2), data["attention"].swapaxes(1, 2), mask)


def test_gloria():
    module, data = opened("gloria")
    image = run(module.image, data["images"])
    assert_close(image.features, data["image_features"])
    assert_close(image.global_, data["image_global"])
    assert_close(image.local, data["image_local"])
    text = run(module.text, *texts(data))
    np.testing.assert_array_equal(text.mask, data["word_mask"])
    assert_close(text.local, data["text_local"])
    assert_close(text.global_, data["text_global"])


def test_dlilp():
    module, data = opened("dlilp")
    image, text = run(module.image, data["images"]), run(module.text, *texts(data))
    for side, out in (("image", image), ("text", text)):
        assert_close(out.features, data[f"{side}_features"])
        assert_close(out.global_, data[f"{side}_global"])
    assert_close(module.further["label_projection"](image.features), data["label_image"])
    for name in ("prototypes", "scale", "label_scale"):
        assert_close(module.further[name](), data[name])


@pytest.mark.parametrize("name", ["cxr-clip-resnet", "cxr-clip-swin"])
def test_cxr_clip(name):
    module, data = opened(name)
    for side, out in (
        ("image", run(module.image, data["images"])),
        ("text", run(module.text, *texts(data))),
    ):
        assert_close(out.features, data[f"{side}_features"])
        assert_close(out.global_, data[f"{side}_global"])
    assert_close(module.further["scale"](), data["scale"])


def test_open_clip():
    module, data = opened("open-clip")
    assert_close(run(module.image, data["images"]).global_, data["image_global"])
    assert_close(run(module.text, *texts(data)).global_, data["text_global"])
    assert_close(module.further["scale"](), data["scale"])


@pytest.mark.parametrize(
    ("name", "part", "kind"),
    [
        ("mgca-vit", "image", ViT),
        ("mgca-vit", "text", Bert),
        ("medst", "image", MixtureOfViewExperts),
        ("gloria", "image", ResNet),
        ("dlilp", "text", Bert),
        ("biovil", "encoder", ResNet),
    ],
)
def test_an_encoder_loads_out_of_a_larger_checkpoint(name, part, kind):
    whole, _ = opened(name)
    encoder = whole.encoder if part == "encoder" else getattr(whole, part).encoder
    fresh = kind(encoder.options, rngs=nnx.Rngs(1))
    load_pretrained(fresh, DATA / name, LAYOUT.get(name, name))
    expected = nnx.to_flat_state(nnx.state(encoder))
    found = dict(nnx.to_flat_state(nnx.state(fresh)))
    for path, variable in expected:
        np.testing.assert_array_equal(found[path][...], variable[...], err_msg=str(path))
