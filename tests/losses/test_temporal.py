# SPDX-License-Identifier: Apache-2.0
"""The losses on study sequences against numpy: value, gradient, gaps, days, sequences of one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax import losses
from medst_jax.losses.temporal import study_times
from tests.losses import reference_temporal
from tests.losses.agreement import (
    assert_agrees,
    assert_bfloat16_is_computed_in_float32,
    assert_silent,
)
from tests.losses.reference import unit

MASK = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [0, 1, 0, 0], [0, 0, 0, 0]], bool)
DAYS = np.array([[0, 3, 10, 400], [5, np.nan, 6, 6.5], [np.nan, 1, 1, 1], [0, 0, 0, 0]])


NEGATIVES = np.random.default_rng(6).random((4, 4, 4)) < 0.6


def _inputs():
    rng = np.random.default_rng(4)
    return [unit(rng.normal(size=(*MASK.shape, 3))) for _ in range(2)]


@pytest.mark.parametrize("negatives", [None, NEGATIVES])
def test_forward_matches_numpy(negatives):
    def loss(a, b, tau):
        return losses.forward_mapping_loss(a, b, MASK, temperature=tau, negative_mask=negatives)

    assert_agrees(
        loss,
        lambda a, b, tau: reference_temporal.forward_mapping(a, b, MASK, tau, negatives),
        [*_inputs(), np.float64(0.4)],
    )


@pytest.mark.parametrize("negatives", [None, NEGATIVES])
@pytest.mark.parametrize("dated,delta", [(False, 2.0), (True, 2.0), (True, 0.2)])
@pytest.mark.parametrize("name", ["reverse_mapping", "cycle_consistency"])
def test_reverse_and_cycle_match_numpy(name, dated, delta, negatives):
    days = DAYS if dated else None

    def loss(a, b, tau, weight):
        return getattr(losses, f"{name}_loss")(
            a,
            b,
            MASK,
            times=days,
            temperature=tau,
            variance_weight=weight,
            huber_delta=delta,
            negative_mask=negatives,
        )

    def reading(a, b, tau, weight):
        return getattr(reference_temporal, name)(a, b, MASK, days, tau, weight, delta, negatives)

    assert_agrees(loss, reading, [*_inputs(), np.float64(0.4), np.float64(0.01)])


def test_a_sequence_of_one_study_counts_for_nothing_in_the_cycle():
    image, text = (jnp.asarray(x) for x in _inputs())
    without = MASK & (MASK.sum(1, keepdims=True) > 1)
    loss = jax.jit(losses.cycle_consistency_loss)
    assert loss(image, text, MASK) == loss(image, text, without)
    assert loss(image[2:3], text[2:3], MASK[2:3]) == 0


def test_studies_with_equal_reports_cannot_be_mixed_up():
    image, text = (jnp.asarray(x[:1]) for x in _inputs())
    text = text.at[:, 1].set(text[:, 0])
    report = jnp.array([[3, 3, 5, 7]])
    differ = report[:, :, None] != report[:, None, :]
    forward = jax.jit(losses.forward_mapping_loss)
    far = jnp.ones((1, 4, 4), bool)
    # Twins halve each other's share; without them as rivals nothing is lost.
    assert forward(text, text, MASK[:1], negative_mask=differ) < forward(
        text, text, MASK[:1], negative_mask=far
    )
    assert forward(image, text, MASK[:1], negative_mask=far) == forward(image, text, MASK[:1])
    loss = jax.jit(losses.cycle_consistency_loss)
    alone = loss(image, text, MASK[:1], negative_mask=far & False)
    np.testing.assert_allclose(alone, 2 * 0.001 * np.log(1e-7), rtol=1e-5)  # certain, and right


def test_times_follow_days_unless_unknown_or_tied():
    mask = np.array([[1, 1, 1], [1, 1, 1], [1, 1, 1], [1, 0, 1], [1, 1, 0]], bool)
    days = jnp.array([[0, 1, 4], [0, 0, 4], [0, np.nan, 4], [2, np.nan, 4], [7, 9, 0]])
    expected = [[0, 1 / 6, 2 / 3], [0, 1 / 3, 2 / 3], [0, 1 / 3, 2 / 3], [0, 0, 1 / 2], [0, 0.5, 0]]
    times = jax.jit(study_times)
    np.testing.assert_allclose(times(mask, days), expected, rtol=1e-6)
    unordered = jnp.array([[4.0, 0.0, 1.0]])
    np.testing.assert_allclose(times(mask[:1], unordered), [[0, 1 / 3, 2 / 3]], rtol=1e-6)


def test_days_receive_a_finite_gradient():
    image, text = (jnp.asarray(x) for x in _inputs())

    def loss(days):
        return losses.cycle_consistency_loss(image, text, MASK, times=days)

    gradient = jax.jit(jax.grad(loss))(jnp.asarray(DAYS))
    assert np.all(np.isfinite(gradient)) and np.any(gradient[0]) and not np.any(gradient[2:])


NAMES = ("forward_mapping", "reverse_mapping", "cycle_consistency")


@pytest.mark.parametrize("name", NAMES)
def test_missing_studies_are_never_read(name):
    function = getattr(losses, f"{name}_loss")
    both = jax.jit(jax.value_and_grad(lambda a, b: function(a, b, MASK), argnums=(0, 1)))
    clean, _ = both(*map(jnp.asarray, _inputs()))
    value, gradients = both(*(jnp.asarray(np.where(MASK[..., None], x, np.nan)) for x in _inputs()))
    assert value == clean
    for gradient in gradients:
        assert np.all(np.isfinite(gradient)) and not np.any(gradient[~MASK])


@pytest.mark.parametrize("name", NAMES)
def test_nothing_valid_and_bfloat16(name):
    function = getattr(losses, f"{name}_loss")
    assert_silent(lambda a, b: function(a, b, MASK & False), _inputs())
    assert_bfloat16_is_computed_in_float32(
        lambda a, b: function(a, b, MASK, negative_mask=NEGATIVES), _inputs()
    )


@pytest.mark.usefixtures("without_shape_checks")
def test_shapes_that_disagree_are_named():
    image, text = _inputs()
    with pytest.raises(ValueError, match=r"target \(4, 3, 3\)"):
        losses.forward_mapping_loss(image, text[:, 1:], MASK)
    with pytest.raises(ValueError, match=r"study_mask \(3, 4\)"):
        losses.cycle_consistency_loss(image, text, MASK[1:])
    with pytest.raises(ValueError, match=r"negative_mask \(3, 4, 4\)"):
        losses.cycle_consistency_loss(image, text, MASK, negative_mask=NEGATIVES[1:])
