# SPDX-License-Identifier: Apache-2.0
"""`medst_jax.load_encoder` on folders of other projects; tests/launch/test_chain.py has a training."""

import json

import cv2
import numpy as np
import pytest

import medst_jax
from medst_jax.data.images.preprocess import Preprocess
from medst_jax.data.images.released import stated_images
from medst_jax.models.weights.pretrained import from_pretrained
from medst_jax.models.weights.stated_layout import stated_text_length
from tests.models.compiled import run
from tests.models.weights import public_files

GREY = np.random.default_rng(0).integers(0, 256, (40, 31), np.uint8)


@pytest.fixture
def folder(tmp_path):
    """A small DINOv2 with the file of its preprocessing."""
    folder = public_files.write(tmp_path / "encoder", *public_files.dinov2())
    processor = {
        "image_mean": [0.4, 0.5, 0.6],
        "image_std": [0.2, 0.3, 0.4],
        "resample": 3,
        "size": {"shortest_edge": 18},
        "crop_size": 12,
        "do_center_crop": True,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder


def test_files_and_arrays_become_the_features_of_the_released_encoder(folder, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), GREY)
    encoder = medst_jax.load_encoder(folder)
    found = encoder.images([tmp_path / "a.png", GREY, GREY[::-1]])
    module, _ = from_pretrained(folder, "hf-dinov2")
    released = stated_images(folder, "hf-dinov2")
    pixels = np.stack([released(GREY), released(GREY), released(GREY[::-1])])
    np.testing.assert_allclose(found.features, run(module, pixels).pooled, atol=2e-5)
    assert not encoder.has_text
    with pytest.raises(ValueError, match="no text encoder"):
        encoder.texts(["edema"])


def test_what_no_file_says_is_given_or_asked_for(folder):
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(ValueError, match="do not say the size of its images; give preprocess="):
        medst_jax.load_encoder(folder)
    encoder = medst_jax.load_encoder(folder, preprocess=Preprocess(12, "crop"))
    assert encoder.images([GREY]).features.shape[0] == 1
    (folder / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="do not say their layout; give layout="):
        medst_jax.load_encoder(folder)


def test_the_image_that_cannot_be_read_is_counted_out(folder, tmp_path):
    encoder = medst_jax.load_encoder(folder)
    (tmp_path / "no.png").write_bytes(b"\x89PNG\r\n\x1a\n cut")
    for bad, reason in (
        (tmp_path / "missing.png", "No such file"),
        (tmp_path / "no.png", "PNG"),
        (GREY.astype(np.float32), r"an array float32 \(40, 31\); give uint8"),
        (np.stack([GREY] * 3, -1), r"an array uint8 \(40, 31, 3\)"),
    ):
        with pytest.raises(ValueError, match=f"image 1 of 2: .*{reason}"):
            encoder.images([GREY, bad])


def test_texts_are_as_long_as_the_folder_says(shared, tmp_path):
    encoder = medst_jax.load_encoder(shared / "oracle" / "layouts" / "biomedclip")
    assert encoder.embedder.text_length == 24
    long, cut = encoder.texts(["pleural effusion " * 40, "pleural effusion " * 30]).global_
    np.testing.assert_allclose(long, cut, atol=1e-6)
    (tmp_path / "open_clip_config.json").write_text('{"model_cfg": {"text_cfg": {}}}')
    assert stated_text_length(tmp_path) is None and stated_text_length(tmp_path / "none") is None
