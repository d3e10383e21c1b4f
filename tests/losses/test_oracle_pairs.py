# SPDX-License-Identifier: Apache-2.0
"""Losses over pairs against the released codes' numbers: GLoRIA, MGCA, Med-ST, BioViL's paper."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax import losses

TOLERANCE = {np.float64: 1e-9, np.float32: 1e-5}


@pytest.fixture(scope="module")
def oracle(shared):
    def load(name):
        return dict(np.load(shared / "oracle" / f"{name}.npz"))

    return load


def assert_matches(loss, arguments, expected, gradients, dtype, tolerance=None):
    """Value and gradients of `loss(*arguments)`, gradients relative to their largest entry."""
    tolerance = tolerance or TOLERANCE[dtype]
    with jax.enable_x64(dtype == np.float64):
        given = [jnp.asarray(a, dtype) for a in arguments]
        every = tuple(range(len(given)))
        value, found = jax.jit(jax.value_and_grad(loss, argnums=every))(*given)
        np.testing.assert_allclose(value, expected, rtol=tolerance)
        for gradient, wanted in zip(found, gradients, strict=True):
            scale = np.max(np.abs(wanted))
            np.testing.assert_allclose(gradient / scale, wanted / scale, atol=tolerance)


def _unit(x):
    return x / ((x**2).sum(-1, keepdims=True) ** 0.5)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_gloria_local_sum_over_words(oracle, dtype):
    o = oracle("gloria")
    rows, width = o["img_local"].shape[:2]
    patches = o["img_local"].reshape(rows, width, -1).transpose(0, 2, 1)
    words = o["text_local"].transpose(0, 2, 1)
    mask = np.arange(words.shape[1]) < o["cap_lens"][:, None]

    def loss(words, patches):
        return losses.gloria_local_loss(
            words,
            patches,
            mask,
            word_temperature=o["temp1"],
            pool_temperature=o["temp2"],
            scale=o["temp3"],
        )

    expected = o["local_loss_i2t_sum_f64"] + o["local_loss_t2i_sum_f64"]
    gradients = [
        o["grad_text_local_sum_f64"].transpose(0, 2, 1),
        o["grad_img_local_sum_f64"].reshape(rows, width, -1).transpose(0, 2, 1),
    ]
    assert_matches(loss, [words, patches], expected, gradients, dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_gloria_global_is_twice_clip_at_scale_ten(oracle, dtype):
    o = oracle("gloria")

    def loss(image, text):
        return 2 * losses.clip_loss(_unit(image), _unit(text), 10.0)

    expected = o["global_loss_i2t_f64"] + o["global_loss_t2i_f64"]
    gradients = [o["grad_img_global_f64"], o["grad_text_global_f64"]]
    assert_matches(loss, [o["img_global"], o["text_global"]], expected, gradients, dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_biovils_paper_losses_are_clip(oracle, dtype):
    o = oracle("himl")
    scale = 1 / float(o["paper_tau"])
    impression = _unit(o["paper_impression"]).astype(dtype)

    def of_images(image, text):
        return losses.clip_loss(_unit(image), _unit(text), scale)

    def of_sections(findings):
        return losses.clip_loss(_unit(findings), jnp.asarray(impression), scale)

    gradients = [o["paper_global_grad_img"], o["paper_global_grad_txt"]]
    arguments = [o["paper_img"], o["paper_txt"]]
    assert_matches(of_images, arguments, o["paper_global"], gradients, dtype)
    # The gradient with respect to the impression is not stored.
    gradients = [o["paper_rsm_grad_findings"]]
    assert_matches(of_sections, [o["paper_findings"]], o["paper_rsm"], gradients, dtype)


@pytest.mark.parametrize("name", ["medst_losses", "mgca"])
def test_the_global_term_of_mgca_and_medst_is_twice_clip(oracle, name):
    o = oracle(name)
    with jax.enable_x64(True):
        image, text = (_unit(jnp.asarray(o[k])) for k in ("img_raw", "rep_raw"))
        value = 2 * jax.jit(losses.clip_loss)(image, text, 1 / o["softmax_temperature"])
        np.testing.assert_allclose(value, o["loss_ita"], rtol=1e-9)


def _alignment(o, word_mask, word_weights, patch_weights):
    """Both terms for raw words and patches; word_mask as the releases use it in each term."""

    def terms(words, patches):
        words = words / jnp.maximum(jnp.linalg.norm(words, axis=-1, keepdims=True), 1e-12)
        return losses.token_alignment_loss(
            words,
            _unit(patches),
            word_mask,
            np.ones(o["patch_raw"].shape[:2], bool),
            word_weights,
            patch_weights,
            temperature=o["local_temperature"],
        )

    return terms


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", ["medst_losses", "mgca"])
def test_alignment_terms(oracle, name, dtype):
    # A listed fault: padding competes with the words in the releases' word term, so for that
    # term nothing is masked here; the patch term masks it as a key, as they do.
    o = oracle(name)
    everything = np.ones_like(o["pad_mask"])
    weights = (o["word_weights"], o["patch_weights"])
    with jax.enable_x64(dtype == np.float64):
        words, patches = (jnp.asarray(o[k], dtype) for k in ("word_raw", "patch_raw"))
        word = jax.jit(_alignment(o, everything, *weights))(words, patches)[0]
        patch = jax.jit(_alignment(o, ~o["pad_mask"], *weights))(words, patches)[1]
        np.testing.assert_allclose(word, o["loss_word"], rtol=TOLERANCE[dtype])
        np.testing.assert_allclose(patch, o["loss_patch"], rtol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_mgca_total_and_gradients(oracle, dtype):
    # Weights are detached there; Sinkhorn codes come rounded to float32, hence 1e-6.
    o = oracle("mgca")
    everything = np.ones_like(o["pad_mask"])
    weights = (o["word_weights"], o["patch_weights"])

    def total(image, text, words, patches, prototypes):
        image, text = _unit(image), _unit(text)
        word = _alignment(o, everything, *weights)(words, patches)[0]
        patch = _alignment(o, ~o["pad_mask"], *weights)(words, patches)[1]
        proto = losses.prototype_loss(
            image,
            text,
            prototypes,
            temperature=o["proto_temperature"],
            epsilon=float(o["epsilon"]),
            iterations=int(o["sinkhorn_iterations"]),
        )
        return (
            2 * losses.clip_loss(image, text, 1 / o["softmax_temperature"]) + word + patch + proto
        )

    names = ("img_raw", "rep_raw", "word_raw", "patch_raw", "prototypes")
    # The release normalises prototypes in place: its gradient is that of the unit rows.
    size = np.linalg.norm(o["prototypes"], axis=1, keepdims=True)
    rows, slope = o["prototypes"] / size, o["grad_prototypes"]
    through = (slope - rows * np.sum(rows * slope, axis=1, keepdims=True)) / size
    gradients = [*(o[f"grad_{n}"] for n in names[:-1]), through]
    assert_matches(
        total,
        [o[n] for n in names],
        o["total_vit"],
        gradients,
        dtype,
        tolerance=1e-6 if dtype == np.float64 else None,
    )
