# SPDX-License-Identifier: Apache-2.0
"""region_contrast_loss against loops and the reference values: value, gradient, masks, bf16."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax import losses
from medst_jax.losses.region_contrast import near_regions
from tests.losses.agreement import (
    assert_agrees,
    assert_bfloat16_is_computed_in_float32,
    assert_silent,
)

MASK = np.array([[True, True, False, True], [False] * 4, [True] * 4])


def _inputs(rows: int = 3):
    rng = np.random.default_rng(8)
    return [rng.normal(size=(rows, 4, 5)) for _ in range(2)]


WEIGHTS = np.random.default_rng(9).random((3, 4))
POSITIVES = np.asarray(near_regions(2, 2), np.float64)


def plain(one, two, weights, positives, mask) -> float:
    """Example by example, part by part."""
    of_examples = []
    for b in range(len(one)):
        rows = np.flatnonzero(mask[b])
        if not len(rows):
            continue
        total = 0.0
        for n in rows:
            scores = np.array(
                [
                    one[b, n] @ two[b, k] / np.linalg.norm(one[b, n]) / np.linalg.norm(two[b, k])
                    for k in rows
                ]
            )
            scores = scores / 0.3
            expected = sum(positives[n, k] * s for k, s in zip(rows, scores, strict=True))
            total += weights[b, n] * (np.log(np.exp(scores).sum()) - expected)
        of_examples.append(total)
    return float(np.mean(of_examples))


@pytest.mark.parametrize("rows", [3, 1])
@pytest.mark.parametrize("masked", [False, True])
def test_it_matches_loops(rows, masked):
    mask = MASK[:rows] if masked else np.ones((rows, 4), bool)
    positives = np.eye(4) if masked else POSITIVES
    assert_agrees(
        lambda *a: losses.region_contrast_loss(
            *a, WEIGHTS[:rows], positives, mask=mask if masked else None
        ),
        lambda *a: plain(*a, WEIGHTS[:rows], positives, mask),
        _inputs(rows),
    )


def test_neighbours_within_reach_share_by_distance():
    share = np.asarray(near_regions(7, 7))
    np.testing.assert_allclose(share.sum(1), 1, rtol=1e-6)
    diagonal = np.hypot(7, 7)
    for n, k in ((0, 1), (0, 8), (0, 4), (0, 5), (24, 48)):
        distance = np.hypot(n // 7 - k // 7, n % 7 - k % 7) / diagonal
        ratio = share[n, k] / share[n, n]
        np.testing.assert_allclose(ratio, np.exp(-distance) * (distance <= 0.5), rtol=1e-5)
    assert share[0, 4] > 0 and share[0, 5] == 0


def test_it_has_the_reference_values(shared):
    oracle = np.load(shared / "oracle" / "lovt.npz")
    cases = {
        "bare": ("region_weights", oracle["region_positive"], None),
        "bare_masked": ("sentence_weights", np.eye(5), oracle["sentence_mask"]),
    }
    np.testing.assert_allclose(
        near_regions(*map(int, oracle["grid"])), oracle["region_positive"], atol=1e-6
    )
    for name, (weights, positives, mask) in cases.items():

        def loss(one, two, weights=weights, positives=positives, mask=mask):
            arguments = (jnp.asarray(oracle[weights]), jnp.asarray(positives))
            return sum(
                losses.region_contrast_loss(*sides, *arguments, mask=mask)
                for sides in ((one, two), (two, one))
            )

        with jax.enable_x64(True):
            value, gradients = jax.value_and_grad(loss, argnums=(0, 1))(
                jnp.asarray(oracle[f"{name}_one"]), jnp.asarray(oracle[f"{name}_two"])
            )
        np.testing.assert_allclose(value, oracle[f"{name}_loss"], rtol=1e-9)
        for side, gradient in zip(("one", "two"), gradients, strict=True):
            # Padded rows have no share in the reference either.
            np.testing.assert_allclose(
                gradient, oracle[f"{name}_grad_{side}"], rtol=1e-8, atol=1e-11
            )


def test_no_part_is_silent_weights_get_no_gradient_and_bfloat16_is_read_as_float32():
    one, two = _inputs()
    assert_silent(
        lambda *a: losses.region_contrast_loss(*a, WEIGHTS, POSITIVES, mask=MASK & False),
        [one, two],
    )
    gradient = jax.grad(lambda w: losses.region_contrast_loss(one, two, w, POSITIVES))(WEIGHTS)
    assert not np.any(gradient)
    assert_bfloat16_is_computed_in_float32(
        lambda *a: losses.region_contrast_loss(*a, WEIGHTS, POSITIVES), [one, two]
    )


@pytest.mark.usefixtures("without_shape_checks")
def test_shapes_that_disagree_are_named():
    one, two = _inputs()
    with pytest.raises(ValueError, match=r"weights \(3, 3\)"):
        losses.region_contrast_loss(one, two, WEIGHTS[:, 1:], POSITIVES)
    with pytest.raises(ValueError, match=r"\[N, N\] = \(4, 4\)"):
        losses.region_contrast_loss(one, two, WEIGHTS, np.eye(3))
