# SPDX-License-Identifier: Apache-2.0
"""orthogonality_loss against loops: value, gradient, masks, one row, bf16."""

import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax import losses
from tests.losses.agreement import (
    assert_agrees,
    assert_bfloat16_is_computed_in_float32,
    assert_silent,
)

MASK = np.array([True, False, True, True, False])


def _features(rows: int = 5):
    return np.random.default_rng(8).normal(size=(rows, 4)) + 0.3


def plain(features, weight=0.0051, mask=None) -> float:
    rows = [i for i in range(len(features)) if mask is None or mask[i]]
    total = 0.0
    for d in range(features.shape[1]):
        for e in range(features.shape[1]):
            mean = sum(features[i, d] * features[i, e] for i in rows) / len(rows)
            total += (mean - 1) ** 2 if d == e else weight * mean**2
    return total / 2


@pytest.mark.parametrize("rows", [5, 1])
@pytest.mark.parametrize("weight", [0.0051, 1.0])
def test_it_matches_loops(rows, weight):
    assert_agrees(
        lambda x: losses.orthogonality_loss(x, off_diagonal=weight),
        lambda x: plain(x, weight),
        [_features(rows)],
    )


def test_masked_rows_count_for_nothing_not_even_as_nan():
    features = _features()
    assert_agrees(
        lambda x: losses.orthogonality_loss(x, mask=MASK),
        lambda x: plain(x, mask=MASK),
        [features],
    )
    broken = np.where(MASK[:, None], features, np.nan)
    found = losses.orthogonality_loss(jnp.asarray(broken), mask=MASK)
    np.testing.assert_allclose(found, plain(features, mask=MASK), rtol=1e-5)


def test_orthonormal_dimensions_lose_nothing():
    features = np.sqrt(4) * np.eye(4)  # four rows, mean product the identity
    assert losses.orthogonality_loss(jnp.asarray(features)) == 0
    moved = losses.orthogonality_loss(jnp.asarray(features[:, [0, 0, 1, 2]]))
    # One pair of equal dimensions, both ways.
    np.testing.assert_allclose(moved, 0.0051, rtol=1e-6)


def test_no_row_is_silent_and_bfloat16_is_read_as_float32():
    nothing = np.zeros(5, bool)
    assert_silent(lambda x: losses.orthogonality_loss(x, mask=nothing), [_features()])
    assert_bfloat16_is_computed_in_float32(losses.orthogonality_loss, [_features()])


def test_shapes_that_disagree_are_refused(without_shape_checks):
    with pytest.raises(ValueError, match=r"features \(4,\) must be \[B, D\]"):
        losses.orthogonality_loss(jnp.zeros(4))
    with pytest.raises(ValueError, match=r"mask \(3,\) must be \[B\] = \(5,\)"):
        losses.orthogonality_loss(jnp.zeros((5, 4)), mask=jnp.ones(3, bool))
