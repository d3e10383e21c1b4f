# SPDX-License-Identifier: Apache-2.0
"""The mutual-information bounds against numpy: value, gradient, moving average, masks, bf16."""

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

ROWS = 5
MASK = np.array([True, True, False, True, True])
STUDY = np.array([1, 1, 2, 3, 4])
DIFFER = STUDY[:, None] != STUDY[None, :]
NAMES = ("donsker_varadhan", "info_nce", "symmetric_info_nce")


def _scores() -> np.ndarray:
    return np.random.default_rng(8).normal(size=(ROWS, ROWS)) * 2


def donsker_varadhan(scores, negative_mask, mask) -> float:
    rows = np.flatnonzero(mask)
    negatives = [
        scores[i, j]
        for i in rows
        for j in rows
        if i != j and (negative_mask is None or DIFFER[i, j])
    ]
    return np.log(np.mean(np.exp(negatives))) - np.mean([scores[i, i] for i in rows])


def info_nce(scores, negative_mask, mask) -> float:
    terms = []
    for i in np.flatnonzero(mask):
        others = [
            np.exp(scores[i, j])
            for j in np.flatnonzero(mask)
            if i != j and (negative_mask is None or DIFFER[i, j])
        ]
        terms.append(np.log(np.exp(scores[i, i]) + np.sum(others)) - scores[i, i])
    return float(np.mean(terms))


def symmetric_info_nce(scores, negative_mask, mask) -> float:
    return (info_nce(scores, negative_mask, mask) + info_nce(scores.T, negative_mask, mask)) / 2


@pytest.mark.parametrize("mask", [None, MASK])
@pytest.mark.parametrize("negatives", [None, DIFFER])
@pytest.mark.parametrize("name", NAMES)
def test_value_and_gradient_match_numpy(name, negatives, mask):
    function = getattr(losses, f"{name}_loss")
    rows = np.ones(ROWS, bool) if mask is None else mask
    assert_agrees(
        lambda scores: function(scores, negatives, mask=mask),
        lambda scores: globals()[name](scores, negatives, rows),
        [_scores()],
    )


@pytest.mark.parametrize("name", NAMES)
def test_what_is_masked_is_never_read(name):
    function = getattr(losses, f"{name}_loss")
    counted = MASK[:, None] & MASK & (DIFFER | np.eye(ROWS, dtype=bool))
    poisoned = jnp.asarray(np.where(counted, _scores(), np.nan))
    value, gradient = jax.jit(jax.value_and_grad(lambda s: function(s, DIFFER, mask=MASK)))(
        poisoned
    )
    np.testing.assert_allclose(value, globals()[name](_scores(), DIFFER, MASK), rtol=1e-5)
    assert np.all(np.isfinite(gradient)) and not np.any(gradient[~counted])


@pytest.mark.parametrize("name", NAMES)
def test_nothing_to_compare_with_is_zero(name):
    function = getattr(losses, f"{name}_loss")
    assert_silent(lambda s: function(s, mask=MASK & False), [_scores()])
    assert_silent(lambda s: function(s, DIFFER & False), [_scores()])
    assert_silent(function, [_scores()[:1, :1]])


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_and_lazy_negatives(name):
    function = getattr(losses, f"{name}_loss")
    assert_bfloat16_is_computed_in_float32(lambda s: function(s, DIFFER), [_scores()])
    lazy = losses.Pairwise(STUDY, STUDY, lambda r, c: r[:, None] != c[None, :])
    scores = jnp.asarray(_scores())
    assert function(scores, lazy) == function(scores, DIFFER)


def test_the_moving_average_moves_the_gradient_and_not_the_value():
    scores = jnp.asarray(_scores())
    own = jax.nn.logsumexp(scores, where=~jnp.eye(ROWS, dtype=bool)) - np.log(ROWS * (ROWS - 1))

    def loss(scores, log_mean):
        return losses.donsker_varadhan_loss(scores, log_mean=log_mean)

    plain = jax.value_and_grad(losses.donsker_varadhan_loss)(scores)
    same = jax.value_and_grad(loss, argnums=(0, 1))(scores, own)
    higher = jax.value_and_grad(loss)(scores, own + jnp.log(2.0))
    for value, _ in (same, higher):
        np.testing.assert_allclose(value, plain[0], rtol=1e-6)
    np.testing.assert_allclose(same[1][0], plain[1], atol=1e-6)
    assert same[1][1] == 0
    off = ~np.eye(ROWS, dtype=bool)
    np.testing.assert_allclose(higher[1][off], plain[1][off] / 2, rtol=1e-5)


@pytest.mark.usefixtures("without_shape_checks")
def test_shapes_that_disagree_are_named():
    with pytest.raises(ValueError, match=r"scores \(3, 2\)"):
        losses.info_nce_loss(jnp.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"negative_mask \(2, 2\)"):
        losses.donsker_varadhan_loss(jnp.zeros((3, 3)), jnp.zeros((2, 2)))
