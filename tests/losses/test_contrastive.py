# SPDX-License-Identifier: Apache-2.0
"""clip_loss and unicl_loss against a float64 numpy reading: value, gradient, masks, padding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax import losses
from tests.losses import reference

ROWS, WIDTH, LABELS = 7, 5, 4


def _inputs(seed: int = 0):
    rng = np.random.default_rng(seed)
    image, text = (reference.unit(rng.normal(size=(ROWS, WIDTH))) for _ in range(2))
    image_labels, text_labels = ((rng.random((ROWS, LABELS)) < 0.3) * 1.0 for _ in range(2))
    mask = np.array([True, True, False, True, True, False, True])
    negatives = rng.random((ROWS, ROWS)) < 0.7
    return image, text, image_labels, text_labels, mask, negatives


CASES = [(False, False), (True, False), (False, True), (True, True)]


@pytest.mark.parametrize("masked,limited", CASES)
@pytest.mark.parametrize("name", ["clip", "unicl"])
def test_value_and_gradient_match_numpy(name, masked, limited):
    image, text, image_labels, text_labels, mask, negatives = _inputs()
    labels = (image_labels, text_labels) if name == "unicl" else ()
    options = {"mask": mask if masked else None, "negative_mask": negatives if limited else None}

    def expected(image, text, scale):
        return getattr(reference, name)(image, text, scale, *labels, **options)

    def actual(image, text, scale):
        return getattr(losses, f"{name}_loss")(image, text, scale, *labels, **options)

    arguments = [image, text, np.float64(6.0)]
    value, gradients = jax.jit(jax.value_and_grad(actual, argnums=(0, 1, 2)))(
        *(jnp.asarray(a, jnp.float32) for a in arguments)
    )
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, expected(*arguments), rtol=2e-6)
    for index, gradient in enumerate(gradients):
        np.testing.assert_allclose(
            gradient, reference.numeric_gradient(expected, arguments, index), atol=2e-6
        )


@pytest.mark.parametrize("name", ["clip", "unicl"])
def test_padding_rows_change_nothing(name):
    image, text, image_labels, text_labels, _, _ = _inputs()
    labels = (image_labels, text_labels) if name == "unicl" else ()
    function = getattr(losses, f"{name}_loss")
    full = function(jnp.asarray(image), jnp.asarray(text), 9.0, *labels)
    # NaN in the padding: it must not reach the value or any gradient.
    pad = [(0, 3), (0, 0)]
    padded = [np.pad(a, pad, constant_values=np.nan) for a in (image, text)]
    padded_labels = [np.pad(a, pad, constant_values=1.0) for a in labels]
    mask = jnp.arange(ROWS + 3) < ROWS

    def loss(image, text):
        return function(image, text, 9.0, *padded_labels, mask=mask)

    value, gradients = jax.value_and_grad(loss, argnums=(0, 1))(*map(jnp.asarray, padded))
    np.testing.assert_allclose(value, full, rtol=1e-6)
    for gradient in gradients:
        assert np.all(np.isfinite(gradient)) and not np.any(gradient[ROWS:])


@pytest.mark.parametrize("name", ["clip", "unicl"])
def test_nothing_valid_is_zero_with_zero_gradient(name):
    image, text, image_labels, text_labels, _, _ = _inputs()
    labels = (image_labels, text_labels) if name == "unicl" else ()

    def loss(image, text, scale):
        mask = jnp.zeros(ROWS, bool)
        return getattr(losses, f"{name}_loss")(image, text, scale, *labels, mask=mask)

    value, gradients = jax.value_and_grad(loss, argnums=(0, 1, 2))(
        jnp.asarray(image), jnp.asarray(text), jnp.float32(3.0)
    )
    assert value == 0
    assert all(not np.any(g) for g in gradients)


def test_batch_of_one_has_nothing_to_contrast():
    one = jnp.ones((1, 1))
    assert losses.clip_loss(one, one, 5.0) == 0
    assert losses.unicl_loss(one, one, 5.0, jnp.zeros((1, 3)), jnp.zeros((1, 3))) == 0


@pytest.mark.parametrize("name", ["clip", "unicl"])
def test_bfloat16_inputs_are_computed_in_float32(name):
    image, text, image_labels, text_labels, mask, negatives = _inputs()
    labels = (image_labels, text_labels) if name == "unicl" else ()
    low = [jnp.asarray(a, jnp.bfloat16) for a in (image, text)]
    rounded = [np.asarray(a, np.float64) for a in low]
    value = getattr(losses, f"{name}_loss")(*low, 8.0, *labels, mask=mask, negative_mask=negatives)
    expected = getattr(reference, name)(*rounded, 8.0, *labels, mask, negatives)
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, expected, rtol=2e-6)


def test_shapes_that_disagree_are_named():
    with pytest.raises(ValueError, match=r"image \(3, 4\) and text \(2, 4\)"):
        losses.clip_loss(jnp.zeros((3, 4)), jnp.zeros((2, 4)), 1.0)
    with pytest.raises(ValueError, match=r"negative_mask \(2, 3\)"):
        losses.clip_loss(jnp.zeros((3, 4)), jnp.zeros((3, 4)), 1.0, negative_mask=jnp.zeros((2, 3)))
    with pytest.raises(ValueError, match="image_labels"):
        losses.unicl_loss(
            jnp.zeros((3, 4)), jnp.zeros((3, 4)), 1.0, jnp.zeros((3, 2)), jnp.zeros((2, 2))
        )
