# SPDX-License-Identifier: Apache-2.0
import json

import jax
import numpy as np
import pytest

from medst_jax.data.images.pixels import fit_square
from medst_jax.data.images.preprocess import Preprocess
from medst_jax.options import OptionError


def test_normalises_and_replicates():
    images = np.array([0, 255], np.uint8).reshape(2, 1, 1, 1) * np.ones((1, 4, 4, 1), np.uint8)
    out = jax.jit(Preprocess(size=4))(images)
    assert out.shape == (2, 4, 4, 3) and out.dtype == np.float32
    np.testing.assert_allclose(out[:, 0, 0], [[-1, -1, -1], [1, 1, 1]], rtol=1e-6)
    per_channel = Preprocess(size=4, mean=(0.0, 0.5, 1.0), std=(1.0, 0.5, 0.25))(images)
    np.testing.assert_allclose(per_channel[1, 0, 0], [1, 1, 0], atol=1e-6)


def test_resize_is_antialiased():
    checker = (np.indices((32, 32)).sum(0) % 2 * 255).astype(np.uint8)[None, ..., None]
    out = Preprocess(size=8, mean=0.0, std=1.0, channels=1)(checker)
    np.testing.assert_allclose(out[0, 2:-2, 2:-2], 0.5, atol=0.02)


def test_dictionary_round_trip_through_json():
    made = Preprocess(size=32, fit="crop", mean=(0.1, 0.2, 0.3), std=0.5)
    assert Preprocess.from_dict(json.loads(json.dumps(made.to_dict()))) == made
    assert hash(made) == hash(Preprocess.from_dict(made.to_dict()))


@pytest.mark.parametrize("values", [{"mean": (0.5, 0.5)}, {"std": 0.0}, {"fit": "squash"}])
def test_bad_values_are_refused(values):
    with pytest.raises(OptionError):
        Preprocess.from_dict({"size": 32, **values})


@pytest.mark.parametrize("fit", ["pad", "crop"])
@pytest.mark.parametrize(("height", "width"), [(80, 60), (60, 80)])
def test_box_follows_the_pixels(fit, height, width):
    # The source is twice the stored image and 10 pixels to its right: stored = source / 2 - 5.
    affine = np.array([[0.5, 0, -5], [0, 0.5, 0]])
    stored = np.zeros((height, width), np.uint8)
    stored[24:40, 20:44] = 255
    source_box = (2 * (20 + 5), 2 * 24, 2 * (44 + 5), 2 * 40)
    preprocess = Preprocess(size=48, fit=fit, mean=0.0, std=1.0, channels=1)
    shown = np.asarray(preprocess(fit_square(stored, 96, fit)[None]))[0, ..., 0] > 0.5
    rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
    box = preprocess.box(source_box, height, width, affine)
    np.testing.assert_allclose(box, [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], atol=1.0)
    many = preprocess.box(np.array([source_box, source_box]), height, width, affine)
    np.testing.assert_array_equal(many, [box, box])


def test_box_is_clipped_to_the_square():
    box = Preprocess(size=10, fit="crop").box((0, 0, 100, 50), 50, 100)
    np.testing.assert_array_equal(box, [0, 0, 10, 10])
