# SPDX-License-Identifier: Apache-2.0
"""report_ranking_loss against numpy: value, gradient, margins, missing rows, bf16."""

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

SEVERITY = np.array([0.0, 3.0, -1.0, 2.0, 2.0, 1.0])
REPORT = np.array([1, 2, 3, 4, 4, 5])
MASK = np.array([True, False, True, True, True, False])
KINDS = ("dot", "cosine", "l2")


def _inputs():
    rng = np.random.default_rng(9)
    return [rng.normal(size=(6, 3)) for _ in range(2)]


def similarity(x, t, kind) -> float:
    if kind == "dot":
        return float(np.dot(x, t))
    if kind == "cosine":
        return float(np.dot(x, t) / np.linalg.norm(x) / np.linalg.norm(t))
    return -float(np.linalg.norm(x - t))


def ranking(image, text, mask, kind) -> tuple[float, float]:
    rows = np.flatnonzero(mask)
    terms = []
    for at, i in enumerate(rows):
        j = rows[(at + 1) % len(rows)]
        margin = max(0.5, abs(SEVERITY[i] - SEVERITY[j]))
        if min(SEVERITY[i], SEVERITY[j]) < 0:
            margin = 0.5
        if REPORT[i] == REPORT[j]:
            margin = 0.0
        own = similarity(image[i], text[i], kind)
        terms.append(
            (
                max(similarity(image[j], text[i], kind) - own + margin, 0),
                max(similarity(image[i], text[j], kind) - own + margin, 0),
            )
        )
    return tuple(np.mean(terms, axis=0))


@pytest.mark.parametrize("term", [0, 1])
@pytest.mark.parametrize("mask", [None, MASK])
@pytest.mark.parametrize("kind", KINDS)
def test_value_and_gradient_match_numpy(kind, mask, term):
    def loss(image, text):
        terms = losses.report_ranking_loss(
            image, text, SEVERITY, REPORT, similarity=kind, mask=mask
        )
        return terms[term]

    rows = np.ones(6, bool) if mask is None else mask
    assert_agrees(loss, lambda x, t: ranking(x, t, rows, kind)[term], _inputs())


def _total(mask=None, severity=SEVERITY):
    def loss(image, text):
        return sum(
            losses.report_ranking_loss(
                image, text, severity, REPORT[: len(severity)], similarity="l2", mask=mask
            )
        )

    return loss


def test_missing_rows_are_never_read_and_nothing_valid_is_zero():
    clean = _total(MASK)(*map(jnp.asarray, _inputs()))
    poisoned = [jnp.asarray(np.where(MASK[:, None], x, np.nan)) for x in _inputs()]
    severity = jnp.asarray(np.where(MASK, SEVERITY, np.nan))
    value, gradients = jax.jit(jax.value_and_grad(_total(MASK, severity), argnums=(0, 1)))(
        *poisoned
    )
    np.testing.assert_allclose(value, clean, rtol=1e-6)
    for gradient in gradients:
        assert np.all(np.isfinite(gradient)) and not np.any(gradient[~MASK])
    assert_silent(_total(MASK & False), _inputs())


def test_a_row_alone_is_its_own_impostor_and_bfloat16():
    image, text = (jnp.asarray(x[:1]) for x in _inputs())
    assert _total(severity=SEVERITY[:1])(image, text) == 0
    assert_bfloat16_is_computed_in_float32(_total(), _inputs())


def test_equal_embeddings_have_a_finite_gradient():
    image = jnp.ones((6, 3))
    gradients = jax.jit(jax.grad(_total(), argnums=(0, 1)))(image, image)
    assert all(np.all(np.isfinite(g)) for g in gradients)


@pytest.mark.usefixtures("without_shape_checks")
def test_mistakes_are_named():
    image, text = _inputs()
    with pytest.raises(ValueError, match="similarity is 'dott'"):
        losses.report_ranking_loss(image, text, SEVERITY, REPORT, similarity="dott")
    with pytest.raises(ValueError, match=r"severity \(5,\)"):
        losses.report_ranking_loss(image, text, SEVERITY[1:], REPORT)
