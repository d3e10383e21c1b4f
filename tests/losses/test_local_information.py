# SPDX-License-Identifier: Apache-2.0
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax.losses import info_nce_loss
from medst_jax.losses.local_information import local_donsker_varadhan_loss, local_info_nce_loss

EACH = pytest.mark.parametrize(
    "loss", [local_donsker_varadhan_loss, local_info_nce_loss], ids=lambda f: f.__name__
)


def reference(loss, scores, sentences, negatives=None):
    """Sentence by sentence, in float64."""
    rows = len(scores)
    present = [b for b in range(rows) if sentences[b].any()]
    positive, pooled, anchored = [], [], []
    for b in range(rows):
        for m in np.flatnonzero(sentences[b]):
            others = [
                float(scores[b, m, i])
                for i in present
                if i != b and (negatives is None or negatives[b, i])
            ]
            own = float(scores[b, m, b])
            positive.append(own)
            pooled += others
            anchored.append(np.log(np.exp([own, *others]).sum()) - own)
    if loss is local_info_nce_loss:
        return np.mean(anchored) if anchored else 0.0
    return np.log(np.mean(np.exp(pooled))) - np.mean(positive) if pooled and positive else 0.0


def case(rows=4, slots=3, seed=0):
    rng = np.random.default_rng(seed)
    sentences = np.arange(slots) < rng.integers(0, slots + 1, rows)[:, None]
    sentences[0] = True
    negatives = rng.random((rows, rows)) < 0.7
    return rng.normal(size=(rows, slots, rows)), sentences, negatives


@EACH
@pytest.mark.parametrize("masked", [False, True])
def test_value_and_gradient_against_numpy(loss, masked):
    scores, sentences, negatives = case(5)
    allowed = negatives if masked else None
    value, gradient = jax.jit(jax.value_and_grad(loss))(jnp.float32(scores), sentences, allowed)
    np.testing.assert_allclose(value, reference(loss, scores, sentences, allowed), rtol=1e-5)
    step, numeric = 1e-5, np.zeros_like(scores)
    for at in np.ndindex(scores.shape):
        moved = scores.copy()
        moved[at] += step
        up = reference(loss, moved, sentences, allowed)
        moved[at] -= 2 * step
        numeric[at] = (up - reference(loss, moved, sentences, allowed)) / (2 * step)
    np.testing.assert_allclose(gradient, numeric, atol=1e-5)


@EACH
def test_absent_sentences_change_nothing_even_if_nan(loss):
    scores, sentences, negatives = case(5, seed=3)
    spoiled = np.where(sentences[:, :, None], scores, np.nan)
    both = jax.jit(jax.value_and_grad(loss))
    clean, _ = both(jnp.float32(scores), sentences, negatives)
    value, gradient = both(jnp.float32(spoiled), sentences, negatives)
    np.testing.assert_allclose(value, clean, rtol=1e-6)
    assert np.all(np.isfinite(gradient)) and np.all(np.asarray(gradient)[~sentences] == 0)


@EACH
def test_nothing_valid_and_a_batch_of_one(loss):
    scores, sentences, _ = case(3)
    value, gradient = jax.jit(jax.value_and_grad(loss))(
        jnp.float32(scores), jnp.zeros_like(sentences)
    )
    assert value == 0 and np.all(gradient == 0)
    value, gradient = jax.jit(jax.value_and_grad(loss))(jnp.ones((1, 2, 1)), jnp.ones((1, 2), bool))
    assert value == 0 and np.all(np.isfinite(gradient))


@EACH
def test_bfloat16_scores_give_a_float32_loss(loss):
    scores, sentences, negatives = case(4, seed=5)
    half = jnp.bfloat16(scores)
    value = jax.jit(loss)(half, sentences, negatives)
    assert value.dtype == jnp.float32
    expected = reference(loss, np.asarray(half, np.float64), sentences, negatives)
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_one_sentence_each_is_the_global_bound():
    rng = np.random.default_rng(7)
    scores = jnp.float32(rng.normal(size=(5, 5)))
    local = jax.jit(local_info_nce_loss)(scores[:, None], jnp.ones((5, 1), bool))
    np.testing.assert_allclose(local, jax.jit(info_nce_loss)(scores), rtol=1e-6)


@pytest.mark.usefixtures("without_shape_checks")
@EACH
def test_shapes_that_disagree_are_named(loss):
    with pytest.raises(ValueError, match=r"\[B, M, B\]"):
        loss(jnp.zeros((3, 2, 4)), jnp.zeros((3, 2), bool))
    with pytest.raises(ValueError, match=r"\[3, 3\]"):
        loss(jnp.zeros((3, 2, 3)), jnp.zeros((3, 2), bool), jnp.zeros((2, 2), bool))


def test_gradient_of_the_negatives_divides_by_the_given_mean():
    scores, sentences, negatives = case(5, seed=1)
    rows = len(scores)
    present = sentences.any(1)
    where = np.zeros_like(scores, bool)
    for b in range(rows):
        for i in range(rows):
            where[b, :, i] = sentences[b] & present[i] & negatives[b, i] & (b != i)

    def loss(values, log_mean):
        return local_donsker_varadhan_loss(values, sentences, negatives, log_mean=log_mean)

    both = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))
    value, (gradient, of_mean) = both(jnp.float32(scores), jnp.float32(0.8))
    expected = reference(local_donsker_varadhan_loss, scores, sentences, negatives)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    assert float(of_mean) == 0.0
    pulled = np.where(where, np.exp(scores - 0.8), 0.0) / where.sum()
    own = sentences[:, :, None] & np.eye(rows, dtype=bool)[:, None, :]
    np.testing.assert_allclose(gradient, pulled - own / sentences.sum(), atol=1e-6)
