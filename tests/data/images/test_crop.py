# SPDX-License-Identifier: Apache-2.0
""" "Resize R, crop S": pixels against Pillow and OpenCV, boxes against what was painted."""

import json

import cv2
import jax
import numpy as np
import pytest
from PIL import Image

from medst_jax.added_options import fill_recorded
from medst_jax.data.images.pixels import fit_square
from medst_jax.data.images.preprocess import Preprocess
from medst_jax.options import OptionError
from medst_jax.systems.parts.options import ImageOptions

PLAIN = dict(mean=0.0, std=1.0, channels=1)
SOURCE = np.random.default_rng(0).integers(0, 256, (90, 70), dtype=np.uint8)


def test_a_padded_square_of_256_gives_its_centre_of_224():
    """GLoRIA, MGCA and Med-ST in evaluation: longer side to 256, zeros around, centre of 224."""
    source = np.random.default_rng(0).integers(0, 256, (300, 410), dtype=np.uint8)
    height = round(300 * 256 / 410)
    scaled = cv2.resize(source, (256, height), interpolation=cv2.INTER_AREA)
    padded = np.zeros((256, 256), np.float64)
    top = (256 - height) // 2
    padded[top : top + height] = scaled
    expected = (padded[16:240, 16:240] / 255 - 0.5) / 0.5
    preprocess = Preprocess(size=224, crop_from=256)
    got = jax.jit(preprocess)(fit_square(source, 256, "pad")[None])
    assert got.shape == (1, 224, 224, 3)
    np.testing.assert_allclose(got[0, ..., 1], expected, atol=1e-5)


@pytest.mark.parametrize(("resized", "size"), [(64, 60), (64, 56), (57, 50)])
def test_the_shorter_side_is_resized_and_the_centre_cropped(resized, size):
    """BioViL: shorter side to 512, centre of 480; BioViL-T of 448. Here an eighth of that."""
    square = SOURCE[10:80]  # what "crop" keeps of the source, before any resampling
    values = Image.fromarray(square.astype(np.float32) / 255)
    scaled = np.asarray(values.resize((resized, resized), Image.Resampling.BILINEAR))
    first = (resized - size) // 2
    expected = scaled[first : first + size, first : first + size]
    stored = fit_square(SOURCE, 70, "crop")[None]
    preprocess = Preprocess(size=size, fit="crop", crop_from=resized, **PLAIN)
    np.testing.assert_allclose(preprocess(stored)[0, ..., 0], expected, atol=1e-5)
    np.testing.assert_allclose(preprocess.resize(stored)[0, ..., 0], scaled, atol=1e-5)


@pytest.mark.parametrize("fit", ["pad", "crop"])
@pytest.mark.parametrize("batch", [96, 72, 64])  # larger than, or as large as, the resized square
@pytest.mark.parametrize(("height", "width"), [(80, 60), (60, 80)])
def test_a_painted_box_is_where_the_box_is_said_to_be(fit, batch, height, width):
    stored = np.zeros((height, width), np.uint8)
    stored[24:40, 20:44] = 255
    preprocess = Preprocess(size=52, fit=fit, crop_from=64, **PLAIN)
    square = fit_square(stored, batch, fit)
    shown = np.asarray(preprocess(square[None]))[0, ..., 0] > 0.5
    box = preprocess.box((20, 24, 44, 40), height, width)
    np.testing.assert_allclose(box, _extent(shown), atol=1.01)
    moved = np.array([[0.5, 0, -5], [0, 0.5, 0]])  # of a source twice as large and further left
    source_box = (2 * (20 + 5), 2 * 24, 2 * (44 + 5), 2 * 40)
    np.testing.assert_allclose(preprocess.box(source_box, height, width, moved), box, atol=1e-4)
    # The same on the batch's square, of which the encoder sees `window`.
    seen = preprocess.seen_box((20, 24, 44, 40), height, width, batch)
    np.testing.assert_allclose(seen, _extent(square[..., 0] > 127), atol=1.01)
    begin, end = preprocess.window(batch)
    assert (begin, end) == (round(6 * batch / 64), round(58 * batch / 64))


def _extent(mask):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


def test_what_is_cropped_away_has_no_area():
    preprocess = Preprocess(size=40, crop_from=50)
    np.testing.assert_array_equal(preprocess.box((0, 0, 4, 50), 50, 50), [0, 0, 0, 40])
    np.testing.assert_array_equal(preprocess.box((0, 0, 50, 50), 50, 50), [0, 0, 40, 40])
    np.testing.assert_array_equal(
        preprocess.seen_box((0, 0, 50, 50), 50, 50, 100), [10, 10, 90, 90]
    )


def test_without_a_crop_everything_is_seen():
    preprocess = Preprocess(size=40)
    assert preprocess.square == 40 and preprocess.window(96) == (0, 96)
    assert Preprocess(size=40, crop_from=40)(SOURCE[None, :70, :, None]).shape == (1, 40, 40, 3)


def test_records_without_the_key_mean_no_crop():
    recorded = Preprocess(size=32).to_dict()
    del recorded["crop_from"]
    options = {"image": {"name": "resnet_small"}, "preprocess": recorded}
    filled = fill_recorded(ImageOptions, options)["preprocess"]
    assert filled["crop_from"] is None and Preprocess.from_dict(recorded) == Preprocess(size=32)
    made = Preprocess(size=32, crop_from=36)
    assert Preprocess.from_dict(json.loads(json.dumps(made.to_dict()))) == made


def test_a_crop_larger_than_the_square_is_refused():
    with pytest.raises(OptionError, match="crop_from is 200, less than preprocess.size, 224"):
        Preprocess(size=224, crop_from=200)
