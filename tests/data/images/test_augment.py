# SPDX-License-Identifier: Apache-2.0
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from medst_jax.data.images.augment import Augment, sample

STRONG = Augment(
    rotate=20, translate=0.1, scale=(0.8, 1.2), brightness=0.2, contrast=0.2, noise=0.1
)


def run(augment, batch, batch_keys):
    return np.asarray(jax.jit(augment)(batch, batch_keys))


def images(count=5, side=24, channels=1):
    values = np.random.default_rng(0).random((count, side, side, channels))
    return values.astype(np.float32)


def keys(count=5):
    # Key data by hand: every shape that jax.random sees is a compilation.
    data = np.random.default_rng(1).integers(2**32, size=(count, 2), dtype=np.uint32)
    return jax.random.wrap_key_data(data)


def test_default_is_identity():
    np.testing.assert_array_equal(Augment(probability=0.5)(images(), keys()), images())


@pytest.mark.parametrize("channels", [1, 3])
def test_draws_do_not_depend_on_the_row(channels):
    order = np.array([3, 0, 4, 2, 1])
    apply = jax.jit(STRONG)
    whole = apply(images(channels=channels), keys())
    moved = apply(images(channels=channels)[order], keys()[order])
    np.testing.assert_array_equal(moved, whole[order])
    alone = apply(images(channels=channels)[2:3], keys()[2:3])
    np.testing.assert_allclose(alone, whole[2:3], atol=1e-5)
    assert np.abs(np.asarray(whole - images(channels=channels))).max() > 0.1


def test_sampling_agrees_with_scipy():
    image = images(1, 17)[0]
    angle = 0.3
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / 1.1
    offset = np.array([1.5, -2.0])
    grid = np.stack(np.mgrid[:17, :17]).reshape(2, -1) - 8.0
    points = matrix @ grid - offset[:, None] + 8.0
    expected = ndimage.map_coordinates(image[..., 0], points, order=1, mode="nearest")
    got = sample(jnp.asarray(image), jnp.asarray(matrix), jnp.asarray(offset))
    np.testing.assert_allclose(got[..., 0], expected.reshape(17, 17), atol=1e-5)


def test_translation_moves_the_content_down_and_right():
    image = jnp.zeros((9, 9, 1)).at[4, 4].set(1.0)
    moved = sample(image, jnp.eye(2), jnp.array([2.0, 1.0]))
    assert np.unravel_index(np.argmax(moved[..., 0]), (9, 9)) == (6, 5)


def test_flip_mirrors_about_half_and_nothing_else():
    many = images(64, 8)
    out = run(Augment(flip="horizontal"), many, keys(64))
    mirrored = np.array([np.array_equal(o, i[:, ::-1]) for o, i in zip(out, many, strict=True)])
    same = np.array([np.array_equal(o, i) for o, i in zip(out, many, strict=True)])
    assert (mirrored ^ same).all() and 15 < mirrored.sum() < 49


def test_probability_is_the_share_of_changed_images():
    out = run(Augment(brightness=0.5, probability=0.25), images(400, 4), keys(400))
    changed = np.mean(np.any(out != images(400, 4), axis=(1, 2, 3)))
    assert 0.17 < changed < 0.33


def test_brightness_and_contrast_stay_in_their_ranges():
    flat = jnp.full((64, 4, 4, 1), 0.5)
    shift = run(Augment(brightness=0.2), flat, keys(64))[:, 0, 0, 0] - 0.5
    assert np.abs(shift).max() <= 0.2 and np.ptp(shift) > 0.25
    gain = run(Augment(contrast=0.3), images(64, 8), keys(64)).std(axis=(1, 2, 3))
    ratio = gain / images(64, 8).std(axis=(1, 2, 3))
    assert 0.7 - 1e-4 <= ratio.min() < 0.85 and 1.15 < ratio.max() <= 1.3 + 1e-4


def test_differs_between_keys_and_has_a_gradient():
    one = jnp.broadcast_to(images(1), (5, 24, 24, 1))
    out = run(STRONG, one, keys())
    assert all(not np.array_equal(out[0], other) for other in out[1:])
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(STRONG(x, keys()) ** 2)))(images())
    assert np.isfinite(gradient).all() and np.any(gradient != 0)
