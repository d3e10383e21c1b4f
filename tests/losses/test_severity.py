# SPDX-License-Identifier: Apache-2.0
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax.losses.severity import ordinal_severity_loss, severity_cross_entropy

LOSSES = {severity_cross_entropy: 4, ordinal_severity_loss: 3}
EACH = pytest.mark.parametrize(
    ("loss", "width"), LOSSES.items(), ids=lambda v: getattr(v, "__name__", v)
)


def reference(loss, logits, severity):
    """Row by row, in float64."""
    rows = []
    for row, grade in zip(np.asarray(logits, np.float64), severity, strict=True):
        if grade < 0:
            continue
        if loss is severity_cross_entropy:
            rows.append(-np.log(np.exp(row[grade]) / np.exp(row).sum()))
        else:
            p = 1 / (1 + np.exp(-row))
            t = np.arange(1, 4) <= grade
            rows.append(-np.mean(np.where(t, np.log(p), np.log(1 - p))))
    return np.mean(rows) if rows else 0.0


def case(width, rows=7, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, width)), np.array([0, -1, 3, 1, -1, 2, 0])[:rows]


@EACH
def test_value_and_gradient_against_numpy(loss, width):
    logits, severity = case(width)
    value, gradient = jax.value_and_grad(loss)(jnp.float32(logits), jnp.int8(severity))
    np.testing.assert_allclose(value, reference(loss, logits, severity), rtol=1e-5)
    step, numeric = 1e-5, np.zeros_like(logits)
    for at in np.ndindex(logits.shape):
        moved = logits.copy()
        moved[at] += step
        up = reference(loss, moved, severity)
        moved[at] -= 2 * step
        numeric[at] = (up - reference(loss, moved, severity)) / (2 * step)
    np.testing.assert_allclose(gradient, numeric, atol=1e-5)


@EACH
def test_rows_of_unknown_severity_change_nothing_even_if_nan(loss, width):
    logits, severity = case(width)
    unknown = severity < 0
    assert unknown.any()
    spoiled = jnp.where(unknown[:, None], jnp.nan, logits)
    value, gradient = jax.value_and_grad(loss)(spoiled, severity)
    np.testing.assert_allclose(value, loss(logits[~unknown], severity[~unknown]), rtol=1e-6)
    assert np.all(np.asarray(gradient)[unknown] == 0) and np.all(np.isfinite(gradient))


@EACH
def test_one_row_no_known_row_and_bfloat16(loss, width):
    logits, severity = case(width)
    one = loss(logits[:1], np.array([2]))
    np.testing.assert_allclose(one, reference(loss, logits[:1], [2]), rtol=1e-5)
    value, gradient = jax.value_and_grad(loss)(jnp.float32(logits), jnp.full(7, -1))
    assert value == 0 and np.all(gradient == 0)
    half = jnp.bfloat16(logits)
    result = loss(half, severity)
    assert result.dtype == jnp.float32
    np.testing.assert_allclose(
        result, reference(loss, np.asarray(half, np.float64), severity), rtol=1e-5
    )


@EACH
def test_extreme_logits_stay_finite(loss, width):
    logits = jnp.array([[1e4] * (width - 1) + [-1e4], [-1e4] * (width - 1) + [1e4]])
    value, gradient = jax.value_and_grad(loss)(logits, jnp.array([0, 3]))
    assert np.isfinite(value) and np.all(np.isfinite(gradient))


@pytest.mark.usefixtures("without_shape_checks")
@EACH
def test_shapes_that_disagree_are_named(loss, width):
    with pytest.raises(ValueError, match=rf"\[B, {width}\]"):
        loss(jnp.zeros((3, width + 1)), jnp.zeros(3, int))
