# SPDX-License-Identifier: Apache-2.0
"""Released checkpoints behind the interface of evaluation: the same numbers as their towers give."""

import pathlib

import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax.data.images.preprocess import Preprocess
from medst_jax.evaluate.fitting.dense_training import feature_maps
from medst_jax.evaluate.subjects.embedder import Embedder
from medst_jax.evaluate.subjects.imported import ImportedSystem, import_system
from medst_jax.models import PretrainedError, from_pretrained
from tests.systems.make_batch import call

DATA = pathlib.Path(__file__).parents[1] / "models" / "weights" / "stored"


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
    np.testing.assert_allclose(
        text.length, np.linalg.norm(np.asarray(expected.global_), axis=-1), rtol=1e-4
    )


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


def test_the_evaluator_takes_encoders_with_and_without_text():
    preprocess = Preprocess(size=32, channels=3)
    alone, _ = import_system(DATA / "torch_resnet_basic.safetensors", "torchvision", preprocess)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 1), dtype=np.uint8)
    embedder = Embedder(alone, None, 32, 8, batch_size=4)
    assert embedder.images(pixels).features.shape[0] == 5
    assert not embedder.has_text and not embedder.has_maps and not embedder.reads_priors
    assert len(feature_maps(alone, jnp.asarray(pixels))) == 2  # both stages, for dense heads


def test_patches_are_compared_with_texts_only_where_they_were_projected_for_it():
    # GLoRIA's patches have another width than its texts in this file, DLILP's no projection.
    assert not _released("dlilp")[0].has_maps and not _released("gloria")[0].has_maps
    paired, data, pixels = _released("medst")
    tokens, mask = data["tokens"][:1].astype(np.int32), data["token_mask"][:1]
    words = np.where(mask, np.cumsum(~data["continues"][:1], axis=1) - 1, -1).astype(np.int32)

    class Tokens:
        def encode_batch(self, texts, length):
            return tokens, mask

        def word_index(self, tokens):
            return words[0]

    embedder = Embedder(paired, Tokens(), paired.preprocess.size, tokens.shape[1])
    maps = embedder.maps(pixels[:1], ["a sentence"])
    image = call(paired, "encode_image", pixels[:1])
    text = call(paired, "encode_text", tokens, mask, words)
    np.testing.assert_allclose(maps[0], image.local[0] @ text.global_[0], atol=1e-5)


def test_clip_gives_its_projections():
    system, data, pixels = _released("open-clip")
    module, _ = from_pretrained(DATA / "released" / "open-clip", "open-clip")
    assert system.has_text and not system.reads_words and not system.has_maps
    normalised = np.repeat((pixels / 255 - 0.25) / 0.5, data["images"].shape[-1], -1)
    tower = module.image(jnp.asarray(normalised, jnp.float32))
    image = call(system, "encode_image", pixels)
    np.testing.assert_allclose(image.global_, _unit(np.asarray(tower.global_)), atol=1e-5)
    np.testing.assert_allclose(image.features, tower.pooled, atol=1e-4)
    tokens = np.array([[18, 3, 5, 19, 0, 0, 0, 0, 0]], np.int32)
    mask = np.arange(9)[None] < 4
    text = call(system, "encode_text", tokens, mask)
    expected = module.text(jnp.asarray(tokens), jnp.asarray(mask)).global_
    np.testing.assert_allclose(text.global_, _unit(np.asarray(expected)), atol=1e-5)
