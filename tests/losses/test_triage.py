# SPDX-License-Identifier: Apache-2.0
"""triage_loss against loops and the reference values: value, gradient, masks, forms, bf16."""

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
from tests.losses.pair_cases import triage_cases
from tests.losses.reference import unit

ROWS = 9


def _inputs(rows: int = ROWS):
    rng = np.random.default_rng(3)
    return [unit(rng.normal(size=(rows, 4))) for _ in range(2)] + [np.float64(5.0)]


def plain(image, text, scale, likeness, high, low, image_weight=0.5, mask=None) -> float:
    """Anchor by anchor, as the paper's equations read."""
    rows = [i for i in range(len(image)) if mask is None or mask[i]]
    logits = scale * image @ text.T
    total = []
    for i in rows:
        positives = [j for j in rows if j == i or likeness[i, j] > high]
        negatives = [j for j in rows if j not in positives and likeness[i, j] <= low]
        if not negatives:
            total.append(0.0)
            continue
        of_image = np.log(sum(np.exp(logits[i, n]) for n in negatives))
        of_text = np.log(sum(np.exp(logits[n, i]) for n in negatives))
        terms = [
            image_weight * np.log1p(np.exp(of_image - logits[i, p]))
            + (1 - image_weight) * np.log1p(np.exp(of_text - logits[p, i]))
            for p in positives
        ]
        total.append(np.mean(terms))
    return float(np.mean(total))


@pytest.mark.parametrize("name", ["triage", "triage/masked"])
@pytest.mark.parametrize("form, chunk", [("dense", None), ("chunked", 4), ("chunked", 1)])
def test_it_matches_loops(name, form, chunk):
    given = triage_cases(ROWS)[name]
    assert_agrees(
        lambda *a: losses.select("triage", form, chunk=chunk)(*a, **given),
        lambda *a: plain(*a, **given),
        _inputs(),
    )


def test_neutral_pairs_stand_nowhere():
    given = triage_cases(ROWS)["triage"]
    alike, own = given["likeness"], np.eye(ROWS, dtype=bool)
    neutral = (alike > given["low"]) & (alike <= given["high"]) & ~own
    # Images are the axes: the gradient of text j along axis i is that of the logit of pair (i, j).
    texts = jnp.asarray(unit(np.random.default_rng(6).normal(size=(ROWS, ROWS))), jnp.float32)
    gradient = jax.grad(lambda t: losses.triage_loss(jnp.eye(ROWS), t, 5.0, **given))(texts).T
    assert neutral.any() and not np.any(gradient[neutral])
    negative = (alike <= given["low"]) & ~own
    assert np.all(gradient[negative] > 0)


def test_it_has_the_reference_values(shared):
    oracle = np.load(shared / "oracle" / "sat.npz")

    def loss(image, text):
        image, text = (x / jnp.linalg.norm(x, axis=1, keepdims=True) for x in (image, text))
        limits = dict(high=float(oracle["high"]), low=float(oracle["low"]))
        return losses.triage_loss(image, text, 10.0, jnp.asarray(oracle["likeness"]), **limits)

    with jax.enable_x64(True):
        value, gradients = jax.value_and_grad(loss, argnums=(0, 1))(
            jnp.asarray(oracle["image"]), jnp.asarray(oracle["text"])
        )
    np.testing.assert_allclose(value, oracle["loss"], rtol=1e-9)
    for name, gradient in zip(("image", "text"), gradients, strict=True):
        np.testing.assert_allclose(gradient, oracle[f"grad_{name}"], rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("form", ["dense", "chunked", "ring"])
def test_one_row_and_no_row_are_silent_and_bfloat16_is_read_as_float32(form):
    loss = losses.select("triage", form)
    given = triage_cases(ROWS)["triage"]
    assert_silent(lambda *a: loss(*a, **given, mask=np.zeros(ROWS, bool)), _inputs())
    one = dict(likeness=np.ones((1, 1)), high=0.7, low=0.1)
    assert_silent(lambda *a: loss(*a, **one), _inputs(1))
    assert_bfloat16_is_computed_in_float32(
        lambda image, text: loss(image, text, 5.0, **given), _inputs()[:2]
    )


def test_limits_out_of_order_are_refused():
    given = triage_cases(ROWS)["triage"] | dict(high=0.1, low=0.7)
    for form in ("dense", "chunked"):
        with pytest.raises(ValueError, match=r"low is 0.7 and high 0.1"):
            losses.select("triage", form)(*_inputs(), **given)
