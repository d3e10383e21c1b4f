# SPDX-License-Identifier: Apache-2.0
"""masked_patch_loss against numpy and the reference values: value, gradient, masks, bf16."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax import losses
from tests.losses.agreement import (
    assert_agrees,
    assert_bfloat16_is_computed_in_float32,
    assert_silent,
)

PATCH = 2
HIDDEN = np.array([[True, False, True, True, False, True], [False] * 6, [True] * 6])


def _inputs(rows: int = 3):
    rng = np.random.default_rng(4)
    return rng.normal(size=(rows, 6, 8)), rng.normal(size=(rows, 4, 6, 2))


def plain(prediction, images, hidden, normalise) -> float:
    """Patch by patch, in loops."""
    terms = []
    for b, p in np.argwhere(hidden):
        row, column = divmod(p, images.shape[2] // PATCH)
        cell = images[b, row * PATCH :, column * PATCH :][:PATCH, :PATCH].reshape(-1)
        if normalise:
            cell = (cell - cell.mean()) / np.sqrt(cell.var(ddof=1) + 1e-6)
        terms.append(np.mean((prediction[b, p] - cell) ** 2))
    return float(np.mean(terms))


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("rows", [3, 1])
def test_it_matches_loops(normalise, rows):
    prediction, images = _inputs(rows)
    hidden = HIDDEN[:rows]
    assert_agrees(
        lambda p: losses.masked_patch_loss(p, images, hidden, patch=PATCH, normalise=normalise),
        lambda p: plain(p, images, hidden, normalise),
        [prediction],
    )


def test_it_has_the_reference_values(shared):
    oracle = np.load(shared / "oracle" / "mrm.npz")
    with jax.enable_x64(True):
        arguments = (jnp.asarray(oracle["images"]), oracle["hidden"])
        options = dict(patch=int(oracle["patch"]))
        value, gradient = jax.value_and_grad(losses.masked_patch_loss)(
            jnp.asarray(oracle["prediction"]), *arguments, **options
        )
        raw = losses.masked_patch_loss(
            jnp.asarray(oracle["prediction"]), *arguments, **options, normalise=False
        )
    np.testing.assert_allclose(value, oracle["loss_normalised"], rtol=1e-9)
    np.testing.assert_allclose(gradient, oracle["grad_prediction"], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(raw, oracle["loss_raw"], rtol=1e-9)


def test_shown_patches_are_never_read():
    prediction, images = _inputs()
    broken = np.where(HIDDEN[..., None], prediction, np.nan)
    value, gradient = jax.value_and_grad(losses.masked_patch_loss)(
        broken, images, HIDDEN, patch=PATCH
    )
    assert value == losses.masked_patch_loss(prediction, images, HIDDEN, patch=PATCH)
    assert not np.any(np.where(HIDDEN[..., None], 0, gradient))


def test_nothing_hidden_is_silent_and_bfloat16_is_read_as_float32():
    prediction, images = _inputs()
    assert_silent(
        lambda p: losses.masked_patch_loss(p, images, HIDDEN & False, patch=PATCH), [prediction]
    )
    assert_bfloat16_is_computed_in_float32(
        lambda p: losses.masked_patch_loss(p, images, HIDDEN, patch=PATCH), [prediction]
    )


@pytest.mark.usefixtures("without_shape_checks")
def test_shapes_that_disagree_are_named():
    prediction, images = _inputs()
    with pytest.raises(ValueError, match=r"hidden \(3, 5\)"):
        losses.masked_patch_loss(prediction, images, HIDDEN[:, 1:], patch=PATCH)
    with pytest.raises(ValueError, match="patches of 3 pixels"):
        losses.masked_patch_loss(prediction, images, HIDDEN, patch=3)
