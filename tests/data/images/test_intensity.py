# SPDX-License-Identifier: Apache-2.0
"""Blur, multiplicative brightness, shear and CLAHE, against scipy, Pillow and OpenCV."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from medst_jax.data.images.augment import Augment
from medst_jax.data.images.blur import gaussian_blur
from medst_jax.data.images.clahe import GREY, LIGHTNESS, clahe, equalised
from medst_jax.options import OptionError

OLD = Augment(rotate=10, translate=0.1, brightness=0.2, contrast=0.2, noise=0.1, probability=0.5)


def keys(count):
    return jax.random.split(jax.random.key(5), count)


def radiograph(side, seed=0):
    """A smooth picture of few grey values in places and many in others, uint8."""
    noise = np.random.default_rng(seed).normal(size=(side, side))
    smooth = ndimage.gaussian_filter(noise, side / 12) + 0.1 * ndimage.gaussian_filter(noise, 1)
    low, high = smooth.min(), smooth.max()
    return np.round(20 + 200 * (smooth - low) / (high - low)).astype(np.uint8)


def run(augment, images):
    return np.asarray(jax.jit(augment)(images, keys(len(images))))


@pytest.mark.parametrize("deviation", [0.5, 1.0, 3.0])
def test_blur_is_the_gaussian_kernel(deviation):
    image = np.random.default_rng(0).random((48, 48, 1)).astype(np.float32)
    got = np.asarray(gaussian_blur(jnp.asarray(image), jnp.float32(deviation)))[..., 0]
    # Zeros outside, divided by what they took away, end the kernel at the border.
    options = dict(sigma=deviation, mode="constant", truncate=12.0)
    expected = ndimage.gaussian_filter(image[..., 0].astype(np.float64), **options)
    expected /= ndimage.gaussian_filter(np.ones((48, 48)), **options)
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_blur_of_nearly_nothing_changes_nothing():
    image = jnp.asarray(np.random.default_rng(0).random((16, 16, 1)), jnp.float32)
    np.testing.assert_allclose(gaussian_blur(image, jnp.float32(0.0)), image, atol=1e-6)


def test_blurs_are_drawn_from_their_range_for_the_share_of_images_asked_for():
    point = np.zeros((300, 25, 25, 1), np.float32)
    point[:, 12, 12] = 1.0
    out = run(Augment(blur=(0.5, 2.0), blur_probability=0.6), point)[..., 0]
    changed = out[:, 12, 12] < 1
    assert 0.5 < changed.mean() < 0.7
    squared = (np.arange(25) - 12.0) ** 2
    found = np.sqrt((out[changed].sum(2) * squared).sum(1))
    # A sampled kernel of small deviation is a little narrower or wider than its formula says.
    assert 0.45 < found.min() < 0.6 and 1.9 < found.max() < 2.05 and abs(found.mean() - 1.25) < 0.1


def test_gain_multiplies_and_clips():
    image = np.repeat(np.linspace(0, 0.9, 64, dtype=np.float32).reshape(1, 8, 8, 1), 400, axis=0)
    out = run(Augment(gain=0.4), image)
    factor = out[:, 3, 3, 0] / image[:, 3, 3, 0]
    np.testing.assert_allclose(out, image * factor[:, None, None, None], rtol=1e-5)
    assert 0.6 - 1e-5 <= factor.min() < 0.62 and 1.38 < factor.max() <= 1.4 + 1e-5
    assert abs(factor.mean() - 1) < 0.04 and out.max() > 1.2
    clipped = run(Augment(gain=0.4, clip=True), image)
    np.testing.assert_allclose(clipped, np.clip(out, 0, 1), atol=1e-6)


def test_contrast_follows_gain_as_torchvision_composes_them():
    image = np.random.default_rng(0).random((50, 8, 8, 1)).astype(np.float32)
    gained = run(Augment(gain=0.3, clip=True), image)
    both = run(Augment(gain=0.3, contrast=0.4, clip=True), image)
    alone = run(Augment(contrast=0.4), image)
    mean = image.mean(axis=(1, 2, 3), keepdims=True)
    factor = np.median((alone - mean) / (image - mean), axis=(1, 2, 3), keepdims=True)
    mean = gained.mean(axis=(1, 2, 3), keepdims=True)
    np.testing.assert_allclose(both, np.clip((gained - mean) * factor + mean, 0, 1), atol=1e-5)


def test_gain_changes_the_same_images_as_contrast_does():
    image = np.random.default_rng(0).random((60, 4, 4, 1)).astype(np.float32)
    moved = [
        np.any(run(Augment(probability=0.4, **{name: 0.3}), image) != image, axis=(1, 2, 3))
        for name in ("gain", "contrast")
    ]
    np.testing.assert_array_equal(*moved)
    assert 0.2 < moved[0].mean() < 0.6


def test_shear_slants_the_rows():
    line = np.zeros((40, 41, 41, 1), np.float32)
    line[:, :, 20] = 1.0
    out = run(Augment(shear=30.0), line)[..., 0]
    centre = (out * np.arange(41)).sum(2) / out.sum(2)
    slope = (centre[:, 30] - centre[:, 10]) / 20
    np.testing.assert_allclose(centre[:, 20], 20, atol=1e-4)
    np.testing.assert_allclose(centre[:, 15], 20 - 5 * slope, atol=0.05)
    assert np.abs(slope).max() <= np.tan(np.pi / 6) + 1e-3
    assert slope.min() < -0.45 and slope.max() > 0.45


@pytest.mark.parametrize("side", [64, 100, 224])  # 100 is no multiple of 8 tiles
@pytest.mark.parametrize("limit", [1.0, 2.3, 4.0])
def test_clahe_is_that_of_opencv(side, limit):
    image = radiograph(side)
    expected = cv2.createCLAHE(limit, (8, 8)).apply(image).astype(int)
    got = np.asarray(jax.jit(clahe)(jnp.asarray(image, jnp.int32), jnp.float32(limit)))
    # Halves are rounded by sums whose last bit depends on the order.
    assert np.abs(got - expected).max() <= 1 and np.mean(got != expected) < 0.01
    assert np.abs(expected - image.astype(int)).mean() > 5


def test_a_flat_image_is_equalised_as_opencv_does():
    image = np.full((64, 64), 90, np.uint8)
    expected = cv2.createCLAHE(4.0, (8, 8)).apply(image)
    got = jax.jit(clahe)(jnp.asarray(image, jnp.int32), jnp.float32(4.0))
    np.testing.assert_array_equal(got, expected)


def test_lightness_tables_are_those_of_opencv():
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    lab = cv2.cvtColor(np.repeat(grey, 3, axis=2), cv2.COLOR_RGB2LAB)
    np.testing.assert_array_equal(lab[..., 0].reshape(-1), LIGHTNESS)
    lab = np.concatenate([grey, np.full((16, 16, 2), 128, np.uint8)], axis=2)
    back = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB).reshape(-1, 3).astype(int)
    assert np.abs(back - GREY[:, None]).max() <= 1


def test_the_lightness_is_equalised_as_albumentations_does_with_grey_pictures():
    image = radiograph(224)
    lab = cv2.cvtColor(np.repeat(image[..., None], 3, axis=2), cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.createCLAHE(3.0, (8, 8)).apply(lab[..., 0])
    expected = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)[..., 1].astype(float)
    values = jnp.asarray(image, jnp.float32)[..., None] / 255
    got = np.asarray(jax.jit(equalised)(values, jnp.float32(3.0)))[..., 0] * 255
    assert np.abs(got - expected).mean() < 0.5
    grey = cv2.createCLAHE(3.0, (8, 8)).apply(image).astype(float)
    assert np.abs(grey - expected).mean() > 5  # of the grey values it is another picture


def test_clahe_changes_half_of_the_images_by_limits_of_their_own():
    images = np.repeat(radiograph(64)[None, ..., None] / np.float32(255), 80, axis=0)
    out = run(Augment(clahe=40.0), images)  # of 64 pixels a tile, 4 is no more than 1
    changed = np.any(out != images, axis=(1, 2, 3))
    assert 0.35 < changed.mean() < 0.65
    assert len({image.tobytes() for image in out[changed]}) > 5


def test_new_changes_leave_the_draws_of_the_others_alone():
    images = np.random.default_rng(0).random((6, 16, 16, 1)).astype(np.float32)
    before = run(OLD, images)
    for name, value in dict(blur_probability=0.3, clahe_probability=0.1, clip=False).items():
        np.testing.assert_array_equal(run(Augment(**{**vars(OLD), name: value}), images), before)
    soft = run(Augment(**{**vars(OLD), "noise": 0.0, "blur": (1.0, 1.0)}), images)
    sharp = run(Augment(**{**vars(OLD), "noise": 0.0}), images)
    for mine, plain in zip(soft, sharp, strict=True):
        expected = gaussian_blur(jnp.asarray(plain), jnp.float32(1.0))
        np.testing.assert_allclose(mine, expected, atol=1e-5)


@pytest.mark.parametrize("values", [dict(blur=(2.0, 1.0)), dict(blur=(-1.0, 1.0)), dict(clahe=0.5)])
def test_bad_ranges_are_refused(values):
    with pytest.raises(OptionError, match=next(iter(values))):
        Augment(**values)


def test_everything_together_is_finite_and_has_a_gradient():
    augment = Augment(
        area=(0.6, 1.0), shear=5.0, gain=0.4, contrast=0.4, blur=(0.1, 3.0), clip=True
    )
    images = jnp.asarray(np.random.default_rng(0).random((3, 16, 16, 1)), jnp.float32)
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(augment(x, keys(3)) ** 2)))(images)
    assert np.isfinite(gradient).all() and np.any(gradient != 0)
