# SPDX-License-Identifier: Apache-2.0
"""Crops of training images, against Pillow and against torchvision's rule of drawing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from medst_jax.data.images.augment import Augment
from medst_jax.data.images.preprocess import Preprocess
from medst_jax.data.images.random_crop import drawn_rectangle, random_parts
from medst_jax.options import OptionError

SOURCE = np.random.default_rng(0).integers(0, 256, (60, 60), dtype=np.uint8)
PLAIN = dict(mean=0.0, std=1.0, channels=1)


def keys(count):
    return jax.random.split(jax.random.key(7), count)


@pytest.mark.parametrize("size", [24, 72])  # smaller and larger than any part
def test_parts_are_what_pillow_resizes(size):
    area, aspect, drawn = (0.3, 0.9), (0.75, 4 / 3), keys(6)
    got = jax.jit(lambda x, k: random_parts(x, k, size, area, aspect))(
        np.repeat(SOURCE[None, ..., None], 6, axis=0), drawn
    )
    values = Image.fromarray(SOURCE.astype(np.float32) / 255)
    corners, sides = jax.vmap(lambda key: drawn_rectangle(key, area, aspect))(drawn)
    for mine, (top, left), (height, width) in zip(got, corners * 60, sides * 60, strict=True):
        box = (left, top, left + width, top + height)
        expected = values.resize((size, size), Image.Resampling.BILINEAR, [float(x) for x in box])
        np.testing.assert_allclose(mine[..., 0], expected, atol=1e-4)


def test_rectangles_have_the_areas_and_aspects_asked_for_and_lie_anywhere():
    corner, sides = jax.vmap(lambda key: drawn_rectangle(key, (0.2, 0.7), (0.5, 2.0)))(keys(2_000))
    corner, sides = np.asarray(corner), np.asarray(sides)
    area, aspect = sides.prod(1), sides[:, 1] / sides[:, 0]
    assert 0.2 <= area.min() < 0.21 and 0.69 < area.max() <= 0.7 + 1e-6
    assert 0.5 - 1e-6 <= aspect.min() < 0.51 and 1.95 < aspect.max() <= 2.0 + 1e-5
    # Near 0.7 tall and wide ones do not fit, so that only the middle of a small range is uniform.
    assert abs(np.mean(area[area < 0.45]) - 0.325) < 0.01
    assert (corner >= 0).all() and (corner + sides <= 1 + 1e-6).all()
    share = corner / (1 - sides)
    assert np.abs(share.mean(0) - 0.5).max() < 0.03 and np.abs(share.std(0) - 12**-0.5).max() < 0.02


def test_what_never_fits_is_the_largest_part_allowed_in_the_middle():
    for aspect, expected in (
        ((1.0, 1.0), (1, 1)),
        ((1.5, 2.0), (1 / 1.5, 1)),
        ((0.2, 0.5), (1, 0.5)),
    ):
        corner, sides = drawn_rectangle(jax.random.key(0), (1.0, 1.0), aspect)
        np.testing.assert_allclose(sides, expected, rtol=1e-6)
        np.testing.assert_allclose(corner, (1 - np.array(expected)) / 2, atol=1e-6)


def test_shares_above_one_are_drawn_again_and_stay_within_the_image():
    _, sides = jax.vmap(lambda key: drawn_rectangle(key, (0.8, 1.1), (0.75, 4 / 3)))(keys(500))
    area = np.asarray(sides).prod(1)
    assert 0.8 <= area.min() < 0.81 and area.max() <= 1.0 and np.mean(area > 0.95) > 0.02


def test_a_random_crop_is_a_window_of_whole_pixels_anywhere():
    stored = np.arange(12 * 12, dtype=np.uint8).reshape(12, 12)
    preprocess = Preprocess(size=9, crop_from=12, **PLAIN)
    images = np.repeat(stored[None, ..., None], 300, axis=0)
    run = jax.jit(lambda x, k: Augment(crop="random").training_pixels(x, k, preprocess))
    got = np.rint(np.asarray(run(images, keys(300)))[..., 0] * 255).astype(int)
    first = got[:, 0, 0]
    places = np.stack([first // 12, first % 12], axis=1)
    assert {tuple(place) for place in places} == {(y, x) for y in range(4) for x in range(4)}
    for window, (y, x) in zip(got, places, strict=True):
        np.testing.assert_array_equal(window, stored[y : y + 9, x : x + 9])


def test_the_crop_follows_the_geometry_and_leaves_its_draws_alone():
    """What `crop` cuts out is the centre, elsewhere, of the same rotated square."""
    images = np.repeat(SOURCE[None, ..., None], 4, axis=0)
    moves = dict(rotate=20.0, translate=0.1)
    whole = Augment(**moves).training_pixels(images, keys(4), Preprocess(size=60, **PLAIN))
    preprocess = Preprocess(size=48, crop_from=60, **PLAIN)
    centre = Augment(**moves).training_pixels(images, keys(4), preprocess)
    np.testing.assert_array_equal(centre, whole[:, 6:54, 6:54])
    cut = np.asarray(Augment(**moves, crop="random").training_pixels(images, keys(4), preprocess))
    for mine, square in zip(cut, np.asarray(whole), strict=True):
        windows = np.lib.stride_tricks.sliding_window_view(square[..., 0], (48, 48))
        assert (np.abs(windows - mine[..., 0]).max(axis=(2, 3)) == 0).sum() == 1


def test_views_of_one_key_share_the_crop():
    images = np.stack([SOURCE, 255 - SOURCE])[..., None]
    preprocess = Preprocess(size=32, crop_from=40, **PLAIN)
    same = jnp.stack([jax.random.key(3)] * 2)
    for augment in (Augment(crop="random"), Augment(area=(0.5, 0.8))):
        one, other = augment.training_pixels(images, same, preprocess)
        np.testing.assert_allclose(one, 1 - other, atol=1e-5)


def test_off_is_evaluation():
    images = np.repeat(SOURCE[None, ..., None], 2, axis=0)
    preprocess = Preprocess(size=40, crop_from=50, **PLAIN)
    got = Augment(probability=0.5).training_pixels(images, keys(2), preprocess)
    np.testing.assert_array_equal(got, preprocess(images))


@pytest.mark.parametrize(
    "values",
    [dict(area=(0.0, 1.0)), dict(area=(0.9, 0.5)), dict(area=(1.1, 1.2)), dict(aspect=(2.0, 1.0))],
)
def test_bad_ranges_are_refused(values):
    with pytest.raises(OptionError, match=next(iter(values))):
        Augment(**values)
