# SPDX-License-Identifier: Apache-2.0
"""Released checkpoints behind the interface of evaluation: the same numbers as their towers give."""

import pathlib

import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax.data.preprocess import Preprocess
from medst_jax.models import PretrainedError, from_pretrained
from medst_jax.systems.imported import ImportedSystem, import_system
from tests.systems.make_batch import call

DATA = pathlib.Path(__file__).parent.parent / "data"


def _released(name):
    expected = dict(np.load(DATA / "released" / name / "expected.npz"))
    side, channels = expected["images"].shape[1], expected["images"].shape[-1]
    preprocess = Preprocess(size=side, channels=channels, mean=0.25, std=0.5)
    system, tokenizer = import_system(DATA / "released" / name, name, preprocess)
    assert tokenizer is None
    pixels = np.random.default_rng(0).integers(0, 256, (3, side, side, 1), dtype=np.uint8)
    return system, expected, pixels


def _unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


@pytest.mark.parametrize("name", ["gloria", "dlilp"])
def test_images_and_texts_equal_those_of_the_towers(name):
    system, data, pixels = _released(name)
    module, _ = from_pretrained(DATA / "released" / name, name)
    normalised = jnp.asarray(np.repeat((pixels / 255 - 0.25) / 0.5, data["images"].shape[-1], -1))
    tower = module.image(normalised.astype(jnp.float32))
    image = call(system, "encode_image", pixels)
    np.testing.assert_allclose(image.features, tower.features, atol=1e-4)
    np.testing.assert_allclose(image.global_, _unit(np.asarray(tower.global_)), atol=1e-4)
    tokens, mask = data["tokens"].astype(np.int32), data["token_mask"]
    continues = data.get("continues")
    words = None
    if continues is not None:
        words = np.where(mask, np.cumsum(~continues, axis=1) - 1, -1).astype(np.int32)
    assert system.reads_words == (continues is not None)
    text = call(system, "encode_text", tokens, mask, words)
    expected = module.text(jnp.asarray(tokens), jnp.asarray(mask), continues)
    np.testing.assert_allclose(text.global_, _unit(np.asarray(expected.global_)), atol=1e-4)


def test_an_encoder_without_heads_gives_its_features():
    preprocess = Preprocess(size=32, channels=3)
    system, _ = import_system(DATA / "torch_resnet_basic.safetensors", "torchvision", preprocess)
    assert isinstance(system, ImportedSystem) and not system.has_text
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 1), dtype=np.uint8)
    image = call(system, "encode_image", pixels)
    np.testing.assert_allclose(image.global_, _unit(np.asarray(image.features)), atol=1e-5)


def test_what_embeds_no_images_is_named():
    preprocess = Preprocess(size=32, channels=3)
    with pytest.raises(ValueError, match="holds a .*Bert.*, which embeds no images"):
        import_system(DATA / "released" / "hf-bert", "hf-bert", preprocess)
    with pytest.raises(PretrainedError, match="unknown"):
        import_system(DATA / "torch_bert.safetensors", "keras", preprocess)
