# SPDX-License-Identifier: Apache-2.0
"""Photographs by the files of released encoders: the libraries' pixels, and Pillow's."""

import json

import numpy as np
import pytest
from PIL import Image

from medst_jax.data.images.released import ReleasedImages, stated_images
from medst_jax.options import OptionError

PHOTO = np.random.default_rng(0).integers(0, 256, (61, 83), dtype=np.uint8)
CLIP = {"do_center_crop": True, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.25, 0.3]}


def stated(folder, name, content):
    (folder / name).write_text(json.dumps(content))
    return stated_images(folder)


@pytest.mark.parametrize(
    "name", ["hf-siglip", "hf-clip", "hf-dinov2", "hf-dinov2-registers", "hf-dinov2-swiglu"]
)
def test_pixels_are_the_librarys(shared, name):
    folder = shared / "oracle" / "layouts" / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent")
    expected = np.load(folder / "expected.npz")
    images = stated_images(folder)
    np.testing.assert_allclose(images(expected["photo"]), expected["photo_pixels"], atol=1e-6)


@pytest.mark.parametrize("photo", [PHOTO, PHOTO.T.copy(), PHOTO[:50, :51].copy()])
@pytest.mark.parametrize("resize", [24, 31])
def test_the_shorter_side_is_resized_and_the_centre_cut(tmp_path, photo, resize):
    config = {**CLIP, "size": {"shortest_edge": resize}, "crop_size": {"height": 24, "width": 24}}
    images = stated(tmp_path, "preprocessor_config.json", {**config, "resample": 2})
    h, w = photo.shape
    scaled = (resize, int(resize * w / h)) if h < w else (int(resize * h / w), resize)
    pixels = np.asarray(Image.fromarray(photo).resize(scaled[::-1], Image.Resampling.BILINEAR))
    top, left = ((side - 24) // 2 for side in scaled)
    cut = pixels[top : top + 24, left : left + 24, None] / 255.0
    expected = (cut - config["image_mean"]) / config["image_std"]
    np.testing.assert_allclose(images(photo), expected, atol=1e-6)
    # The same by what a batch holds and a system does.
    inside = images.preprocess(images.square(photo)[None])[0]
    np.testing.assert_allclose(inside, expected, atol=1e-5)
    assert images.square(photo).shape == (resize, resize, 1)


def test_both_sides_are_resized_without_their_aspect(tmp_path):
    config = {"size": {"height": 24, "width": 24}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    images = stated(tmp_path, "preprocessor_config.json", {**config, "resample": 3})
    pixels = np.asarray(Image.fromarray(PHOTO).resize((24, 24), Image.Resampling.BICUBIC))
    np.testing.assert_allclose(images(PHOTO)[..., 1], pixels / 127.5 - 1, atol=1e-6)
    assert images.preprocess.fit == "stretch"
    box = images.preprocess.box((0, 0, 83, 61), 61, 83)
    np.testing.assert_allclose(box, (0, 0, 24, 24))


def test_medclip_pads_to_a_square_before_it_resizes():
    images = stated_images("/nowhere", "medclip")
    padded = np.zeros((83, 83), np.uint8)
    padded[11:72] = PHOTO
    pixels = np.asarray(Image.fromarray(padded).resize((224, 224), Image.Resampling.BICUBIC))
    expected = (pixels / 255 - 0.5862785803) / 0.2795008897
    np.testing.assert_allclose(images(PHOTO)[..., 2], expected, atol=1e-6)


def test_open_clip_and_timm(tmp_path):
    model = {"model_cfg": {"vision_cfg": {"image_size": 24}}}
    images = stated(tmp_path, "open_clip_config.json", model)
    assert (images.size, images.resize, images.fit, images.resample) == (24, 24, "crop", 3)
    assert images.mean[0] == 0.48145466
    squashed = {**model, "preprocess_cfg": {"resize_mode": "squash", "mean": [0.5] * 3}}
    assert stated(tmp_path, "open_clip_config.json", squashed).fit == "stretch"
    (tmp_path / "open_clip_config.json").unlink()
    timm = {"input_size": [3, 24, 24], "crop_pct": 0.9, "interpolation": "bilinear"}
    images = stated(tmp_path, "config.json", {"pretrained_cfg": timm})
    assert (images.size, images.resize, images.resample) == (24, 26, 2)
    # torchvision rounds the odd pixel of the crop, to the even number.
    assert images.square(PHOTO).shape == (26, 26, 1)
    assert stated(tmp_path, "config.json", {"model_type": "bert"}) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({**CLIP, "size": {"shortest_edge": 20}, "crop_size": 24}, "resized to 20 and cut to 24"),
        ({"size": {"height": 20, "width": 24}}, "squares are made here"),
        ({"size": 24}, "has no image_mean"),
        ({"do_resize": False}, "resizes nothing"),
    ],
)
def test_what_is_not_made_here_is_named(tmp_path, content, message):
    with pytest.raises(OptionError, match=message):
        stated(tmp_path, "preprocessor_config.json", content)


def test_sizes_of_old_files(tmp_path):
    old = {**CLIP, "size": 24, "crop_size": 24}
    assert stated(tmp_path, "preprocessor_config.json", old).fit == "crop"
    siglip = {**old, "do_center_crop": False, "image_processor_type": "SiglipImageProcessor"}
    images = stated(tmp_path, "preprocessor_config.json", siglip)
    assert images == ReleasedImages(24, 24, "stretch", 3, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3))
