# SPDX-License-Identifier: Apache-2.0
"""gloria_local_loss and token_alignment_loss against numpy: value, gradient, masks, bf16."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax import losses
from tests.losses import reference_local
from tests.losses.agreement import (
    assert_agrees,
    assert_bfloat16_is_computed_in_float32,
    assert_silent,
)
from tests.losses.reference import unit

ROWS, WORDS, PATCHES, WIDTH = 3, 4, 5, 3


def _inputs(rows: int = ROWS):
    rng = np.random.default_rng(2)
    words, patches = (unit(rng.normal(size=(rows, n, WIDTH))) for n in (WORDS, PATCHES))
    word_mask, patch_mask = (
        np.arange(n) < rng.integers(1, n + 1, (rows, 1)) for n in (WORDS, PATCHES)
    )
    weights = [rng.random(m.shape) * m for m in (word_mask, patch_mask)]
    return words, patches, word_mask, patch_mask, *(w / w.sum(1, keepdims=True) for w in weights)


def _gloria(word_mask, negatives=None):
    def loss(words, patches, *temperatures):
        names = ("word_temperature", "pool_temperature", "scale")
        return losses.gloria_local_loss(
            words,
            patches,
            word_mask,
            **dict(zip(names, temperatures, strict=True)),
            negative_mask=negatives,
        )

    return loss


# One-sided on purpose: which of the two is the row must not be mixed up.
NEGATIVES = np.array([[1, 0, 1], [1, 0, 1], [0, 1, 1]], bool)
WORD_NEGATIVES = np.random.default_rng(8).random((ROWS, WORDS, WORDS)) < 0.5


@pytest.mark.parametrize("negatives", [None, NEGATIVES])
@pytest.mark.parametrize("empty", [False, True])
def test_gloria_matches_numpy(empty, negatives):
    words, patches, word_mask, *_ = _inputs()
    word_mask[1] &= not empty
    assert_agrees(
        _gloria(word_mask, negatives),
        lambda w, p, *t: reference_local.gloria_local(w, p, word_mask, *t, negatives),
        [words, patches, np.float64(4.0), np.float64(5.0), np.float64(2.0)],
    )


def test_rows_of_one_text_are_no_negatives_of_each_other_in_gloria():
    words, patches, word_mask, *_ = (np.repeat(x[:1], 2, axis=0) for x in _inputs())
    text = jnp.array([7, 7])
    differ = losses.Pairwise(text, text, lambda r, c: r[:, None] != c[None, :])
    for negatives in (differ, np.zeros((2, 2), bool)):
        loss = _gloria(word_mask, negatives)
        assert_silent(lambda w, p: loss(w, p, 4.0, 5.0, 2.0), [words, patches])  # noqa: B023
    assert _gloria(word_mask)(words, patches, 4.0, 5.0, 2.0) > 1


@pytest.mark.parametrize("negatives", [None, WORD_NEGATIVES])
@pytest.mark.parametrize("term", [0, 1])
@pytest.mark.parametrize("empty", [False, True])
def test_alignment_matches_numpy(term, empty, negatives):
    words, patches, word_mask, patch_mask, word_weights, patch_weights = _inputs()
    if empty:
        word_mask[0], patch_mask[2] = False, False

    def loss(words, patches, word_weights, patch_weights, temperature):
        return losses.token_alignment_loss(
            words,
            patches,
            word_mask,
            patch_mask,
            word_weights,
            patch_weights,
            temperature=temperature,
            negative_mask=negatives,
        )[term]

    def reading(words, patches, word_weights, patch_weights, temperature):
        weights = word_weights, patch_weights
        return reference_local.token_alignment(
            words, patches, word_mask, patch_mask, *weights, temperature, negatives
        )[term]

    assert_agrees(loss, reading, [words, patches, word_weights, patch_weights, np.float64(0.3)])


def _both(word_mask, patch_mask):
    rows = len(word_mask)
    pairs, words = NEGATIVES[:rows, :rows], WORD_NEGATIVES[:rows]
    return {
        "gloria": lambda w, p, ww, pw: losses.gloria_local_loss(
            w, p, word_mask, negative_mask=pairs
        ),
        "alignment": lambda w, p, ww, pw: sum(
            losses.token_alignment_loss(w, p, word_mask, patch_mask, ww, pw, negative_mask=words)
        ),
    }


@pytest.mark.parametrize("name", ["gloria", "alignment"])
def test_what_is_masked_is_never_read(name):
    words, patches, word_mask, patch_mask, *weights = _inputs()
    word_mask[1] = False
    loss = _both(word_mask, patch_mask)[name]
    both = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2, 3)))
    given = (words, patches, *weights)
    clean, _ = both(*map(jnp.asarray, given))
    if name == "gloria":
        patch_mask = np.broadcast_to(word_mask.any(1)[:, None], patch_mask.shape)
    poisoned = [
        jnp.asarray(np.where(m[..., None] if x.ndim == 3 else m, x, np.nan))
        for x, m in zip(given, 2 * (word_mask, patch_mask), strict=True)
    ]
    value, gradients = both(*poisoned)
    np.testing.assert_allclose(value, clean, rtol=1e-6)
    for gradient, mask in zip(gradients, 2 * (word_mask, patch_mask), strict=True):
        assert np.all(np.isfinite(gradient)) and not np.any(gradient[~mask])


@pytest.mark.parametrize("name", ["gloria", "alignment"])
def test_nothing_valid_is_zero_and_a_batch_of_one_works(name):
    words, patches, word_mask, patch_mask, *weights = _inputs()
    assert_silent(_both(word_mask & False, patch_mask)[name], [words, patches, *weights])
    one = [x[:1] for x in (words, patches, *weights)]
    value = jax.jit(_both(word_mask[:1], patch_mask[:1])[name])(*map(jnp.asarray, one))
    if name == "gloria":
        assert value == 0
    else:
        expected = reference_local.token_alignment(
            *one[:2], word_mask[:1], patch_mask[:1], *one[2:], 0.1, WORD_NEGATIVES
        )
        np.testing.assert_allclose(value, sum(expected), rtol=1e-5)


@pytest.mark.parametrize("name", ["gloria", "alignment"])
def test_bfloat16_inputs_are_computed_in_float32(name):
    words, patches, word_mask, patch_mask, *weights = _inputs()
    assert_bfloat16_is_computed_in_float32(
        _both(word_mask, patch_mask)[name], [words, patches, *weights]
    )


@pytest.mark.usefixtures("without_shape_checks")
def test_shapes_that_disagree_are_named():
    words, patches, word_mask, patch_mask, *weights = _inputs()
    with pytest.raises(ValueError, match=r"word_mask \(3, 3\)"):
        losses.gloria_local_loss(words, patches, word_mask[:, 1:])
    with pytest.raises(ValueError, match=r"patches \(2, 5, 3\)"):
        losses.gloria_local_loss(words, patches[1:], word_mask)
    with pytest.raises(ValueError, match=r"patch_mask \(3, 4\)"):
        losses.token_alignment_loss(words, patches, word_mask, patch_mask[:, 1:], *weights)
    with pytest.raises(ValueError, match=r"word_weights \(3, 5\)"):
        losses.token_alignment_loss(words, patches, word_mask, patch_mask, *weights[::-1])
    with pytest.raises(ValueError, match=r"negative_mask \(3, 3\) must be \[B, W, W\]"):
        losses.token_alignment_loss(
            words, patches, word_mask, patch_mask, *weights, negative_mask=NEGATIVES
        )
    for form in ("dense", "chunked"):
        loss = losses.select("gloria_local", form)
        with pytest.raises(ValueError, match=r"negative_mask \(3, 4, 4\) must be \[B, B\]"):
            loss(words, patches, word_mask, negative_mask=WORD_NEGATIVES)
