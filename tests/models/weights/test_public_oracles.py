# SPDX-License-Identifier: Apache-2.0
"""Tiny models of today's public encoders, as their libraries wrote them, against their outputs."""

import json

import numpy as np
import pytest
import safetensors.numpy

from medst_jax.data.tokenize.tokenizer_files import find_tokenizer, load_tokenizer_file
from medst_jax.models.weights import weights_file
from medst_jax.models.weights.pretrained import from_pretrained, save_pretrained
from tests.models.compiled import run
from tests.models.weights import numpy_towers

LAYOUT = {
    "hf-siglip": "hf-siglip",
    "hf-siglip2": "hf-siglip",
    "hf-clip": "hf-clip",
    "hf-dinov2": "hf-dinov2",
    "hf-dinov2-registers": "hf-dinov2",
    "hf-dinov2-swiglu": "hf-dinov2",
    "hf-dinov3": "hf-dinov3",
    "biomedclip": "biomedclip",
    "medclip": "medclip",
    "medclip-resnet": "medclip",
}
# Of each output: where the module has it, and the file.
IMAGE_TEXT = {
    "image.local": ("patches",),
    "image.features": ("image_features",),
    "image.global_": ("image_global",),
    "text.local": ("text_tokens",),
    "text.features": ("text_features",),
    "text.global_": ("text_global",),
}


@pytest.fixture
def folder(shared, request):
    place = shared / "oracle" / "layouts" / request.param
    if not place.is_dir():
        pytest.skip(f"{place} is absent")
    return place


def assert_close(found, expected):
    found = np.asarray(found, np.float64)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("folder", LAYOUT, indirect=True)
def test_outputs_are_the_librarys(folder):
    layout = LAYOUT[folder.name]
    module, _ = from_pretrained(folder, layout)
    expected = dict(np.load(folder / "expected.npz"))
    if layout.startswith("hf-dinov"):
        out = run(module, expected["images"])
        assert_close(out.tokens, expected["tokens"])
        assert_close(out.pooled, expected["pooled"])
        for size in ("larger", "smaller", "oblong"):
            if f"{size}_images" in expected:
                found = run(module, expected[f"{size}_images"]).tokens
                assert_close(found, expected[f"{size}_tokens"])
        return
    mask = expected["token_mask"].astype(bool)
    image, text = run(module.image, expected["images"]), run(module.text, expected["tokens"], mask)
    found = {"image": image, "text": text}
    compared = 0
    for place, names in IMAGE_TEXT.items():
        side, field = place.split(".")
        for name in names:
            if name in expected:
                assert_close(getattr(found[side], field), expected[name])
                compared += 1
    assert compared >= 3
    if "image_tokens" in expected:
        assert_close(image.local, expected["image_tokens"][:, 1:])
    if "grid" in expected:
        assert_close(image.local, expected["grid"].reshape(*image.local.shape))
    np.testing.assert_allclose(module.further["scale"](), expected["scale"].item(), rtol=1e-6)
    for name, field in (
        ("larger_image_global", "global_"),
        ("larger_image_features", "features"),
    ):
        if name in expected:
            larger = run(module.image, expected["larger_images"])
            assert_close(getattr(larger, field), expected[name])


@pytest.mark.parametrize("folder", LAYOUT, indirect=True)
def test_what_comes_in_leaves_byte_for_byte(tmp_path, folder):
    layout = LAYOUT[folder.name]
    module, _ = from_pretrained(folder, layout)
    save_pretrained(module, tmp_path / "model.safetensors", layout)
    original = safetensors.numpy.load_file(weights_file.find(folder))
    saved = safetensors.numpy.load_file(tmp_path / "model.safetensors")
    assert saved.keys() == original.keys()
    for key, tensor in original.items():
        assert saved[key].dtype == tensor.dtype and saved[key].shape == tensor.shape, key
        assert saved[key].tobytes() == tensor.tobytes(), key


TEXTS = [name for name, layout in LAYOUT.items() if not layout.startswith("hf-dinov")]


@pytest.mark.parametrize("folder", [*TEXTS, "hf-siglip2-naflex"], indirect=True)
def test_texts_become_the_librarys_tokens(tmp_path, folder):
    expected = dict(np.load(folder / "expected.npz"))
    tokenizer = find_tokenizer(folder, {})
    tokenizer.save(tmp_path / "tokenizer.model")
    for one in (tokenizer, load_tokenizer_file(tmp_path / "tokenizer.model")):
        tokens, mask = one.encode_batch(expected["texts"].tolist(), expected["tokens"].shape[1])
        np.testing.assert_array_equal(tokens, expected["tokens"])
        np.testing.assert_array_equal(mask, expected["token_mask"].astype(bool))


@pytest.mark.parametrize(
    "folder", ["hf-siglip2", "hf-clip", "hf-dinov2", "hf-dinov3"], indirect=True
)
def test_the_numpy_encoders_of_the_other_tests_are_the_librarys(folder):
    tensors = safetensors.numpy.load_file(weights_file.find(folder))
    config = json.loads((folder / "config.json").read_text())
    expected = dict(np.load(folder / "expected.npz"))
    images = expected["images"]
    layout = LAYOUT[folder.name]
    if layout == "hf-siglip":
        found = numpy_towers.siglip(tensors, config, images, expected["tokens"])
        names = ("patches", "image_global", "text_tokens", "text_global")
    elif layout == "hf-clip":
        end = expected["tokens"].argmax(1)
        found = numpy_towers.clip(tensors, config, images, expected["tokens"], end)
        names = ("image_tokens", "image_features", "image_global", "text_tokens", "text_global")
    else:
        model = getattr(numpy_towers, layout.removeprefix("hf-"))
        found, names = (model(tensors, config, images),), ("tokens",)
    for one, name in zip(found, names, strict=True):
        # The libraries compute sums of embeddings and rotary angles in float32.
        np.testing.assert_allclose(one, expected[name], atol=1e-6)
