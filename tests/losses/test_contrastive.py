# SPDX-License-Identifier: Apache-2.0
"""The losses over image-text pairs against numpy: value, gradient, masks, padding, bf16."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax import losses
from tests.losses import reference
from tests.losses.agreement import (
    assert_agrees,
    assert_bfloat16_is_computed_in_float32,
    assert_silent,
)
from tests.losses.pair_cases import CASES, make, options

ROWS = 7


def _loss(case, extra=(), **given):
    function = getattr(losses, f"{case.name}_loss")
    return lambda *arguments: function(*arguments, *extra, **given)


@pytest.mark.parametrize(
    "masked,limited", [(False, False), (True, False), (False, True), (True, True)]
)
@pytest.mark.parametrize("name", CASES)
def test_value_and_gradient_match_numpy(name, masked, limited):
    case = CASES[name]
    if limited and not case.negatives:
        pytest.skip(f"{name}_loss takes no negative_mask")
    arguments, extra, mask, negatives = make(case, ROWS)
    given = options(case, mask if masked else None, negatives if limited else None)
    reading = getattr(reference, name)
    assert_agrees(_loss(case, extra, **given), lambda *a: reading(*a, *extra, **given), arguments)


@pytest.mark.parametrize("name", CASES)
def test_padding_rows_change_nothing(name):
    case = CASES[name]
    arguments, extra, mask, _ = make(case, ROWS)
    full = jax.jit(_loss(case, extra, mask=mask))(*map(jnp.asarray, arguments))

    def padded(x):
        # NaN in the padding: it must not reach the value or any gradient.
        if np.ndim(x) == 0:
            return jnp.float32(x)
        width = 3 if x.shape == (ROWS, ROWS) else 0
        return jnp.asarray(np.pad(x, [(0, 3), (0, width)], constant_values=np.nan))

    longer = np.pad(mask, (0, 3))
    moved = [padded(a) for a in arguments]
    loss = _loss(case, [padded(e) for e in extra], mask=longer)
    value, gradients = jax.jit(jax.value_and_grad(loss, argnums=tuple(range(len(moved)))))(*moved)
    np.testing.assert_allclose(value, full, rtol=1e-6)
    for gradient in gradients:
        assert np.all(np.isfinite(gradient))
        assert gradient.ndim == 0 or not np.any(gradient[ROWS:])


@pytest.mark.parametrize("name", CASES)
def test_nothing_valid_is_zero_with_zero_gradient(name):
    case = CASES[name]
    arguments, extra, mask, _ = make(case, ROWS)
    assert_silent(_loss(case, extra, mask=mask & False), arguments)


@pytest.mark.parametrize("name", CASES)
def test_a_batch_of_one_has_nothing_to_contrast(name):
    case = CASES[name]
    arguments, extra, _, _ = make(case, 1)
    value = jax.jit(_loss(case, extra))(*map(jnp.asarray, arguments))
    expected = getattr(reference, name)(*arguments, *extra)
    np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-7)
    assert name == "siglip" or expected == 0


@pytest.mark.parametrize("name", CASES)
def test_bfloat16_inputs_are_computed_in_float32(name):
    case = CASES[name]
    arguments, extra, mask, negatives = make(case, ROWS)
    loss = _loss(case, extra, **options(case, mask, negatives))
    assert_bfloat16_is_computed_in_float32(loss, arguments)


@pytest.mark.parametrize("name", ["clip", "unicl", "siglip"])
def test_a_negative_mask_may_be_given_by_its_rows(name):
    case = CASES[name]
    arguments, extra, mask, _ = make(case, ROWS)
    study = jnp.array([1, 1, 2, 3, 3, 3, 4])
    lazy = losses.Pairwise(study, study, lambda r, c: r[:, None] != c[None, :])
    assert lazy.shape == (ROWS, ROWS)
    values = [
        jax.jit(_loss(case, extra, mask=mask, negative_mask=given))(*map(jnp.asarray, arguments))
        for given in (lazy, lazy.matrix())
    ]
    assert values[0] == values[1]


def test_a_similarity_may_be_given_by_its_rows():
    case = CASES["soft_target_clip"]
    (image, text, scale, _), _, mask, _ = make(case, ROWS)
    rng = np.random.default_rng(1)
    labels = [jnp.asarray(rng.normal(size=(ROWS, 3))) for _ in range(2)]

    def loss(matrix, *labels):
        pairs = losses.Pairwise(*labels, lambda r, c: r @ c.T)
        given = pairs.matrix() if matrix else pairs
        return losses.soft_target_clip_loss(image, text, scale, given, mask=mask)

    both = jax.jit(jax.value_and_grad(loss, argnums=(1, 2)), static_argnums=0)
    whole, lazy = (both(matrix, *labels) for matrix in (True, False))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), whole, lazy)


def test_large_logits_stay_finite():
    image = jnp.eye(3)
    for loss, *values in (
        (losses.clip_loss, 1e4),
        (losses.siglip_loss, 1e4, -5e3),
        (losses.soft_target_clip_loss, 1e4, 1e4 * image),
        (losses.convirt_loss, 1e-4, 0.75),
    ):
        np.testing.assert_allclose(jax.jit(loss)(image, image, *values), 0.0, atol=1e-5)


@pytest.mark.usefixtures("without_shape_checks")
def test_shapes_that_disagree_are_named():
    three = jnp.zeros((3, 4))
    with pytest.raises(ValueError, match=r"image \(3, 4\) and text \(2, 4\)"):
        losses.clip_loss(three, jnp.zeros((2, 4)), 1.0)
    with pytest.raises(ValueError, match=r"negative_mask \(2, 3\)"):
        losses.clip_loss(three, three, 1.0, negative_mask=jnp.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"mask \(4,\)"):
        losses.siglip_loss(three, three, 1.0, 0.0, mask=jnp.zeros(4))
    with pytest.raises(ValueError, match=r"similarity \(3, 2\)"):
        losses.soft_target_clip_loss(three, three, 1.0, jnp.zeros((3, 2)))
    with pytest.raises(ValueError, match="image_labels"):
        losses.unicl_loss(three, three, 1.0, jnp.zeros((3, 2)), jnp.zeros((2, 2)))
