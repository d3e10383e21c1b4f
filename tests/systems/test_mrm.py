# SPDX-License-Identifier: Apache-2.0
"""MRM: what is hidden, what each branch reads, reference values of the report branch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax import systems
from medst_jax.losses.masked_language import masked_language_loss
from medst_jax.options import OptionError
from tests.systems.make_batch import OPTIONS, OWN, TEXT, call, make_batch


def options(**changes):
    known = {**OPTIONS, **TEXT, **OWN["mrm"], **changes}
    del known["labels"]
    return known


@pytest.fixture(scope="module")
def system():
    return systems.build("mrm", **options(visible=0.25, magnification=2))


@pytest.fixture(scope="module")
def encoded(system):
    return call(system, "encode", make_batch(), rngs=jax.random.key(1))


def test_the_encoder_sees_its_share_of_patches_drawn_by_the_examples_key(system):
    keys = jax.random.split(jax.random.key(0), 400)
    seen = np.asarray(system.seen(400, keys))
    assert seen.shape == (400, 4) and (np.diff(seen, axis=1) > 0).all()
    share = np.bincount(seen.ravel(), minlength=16) / 400
    assert np.abs(share - 0.25).max() < 0.08  # 3.7 standard errors
    np.testing.assert_array_equal(system.seen(2, keys[5:7]), seen[5:7])
    np.testing.assert_array_equal(system.seen(1, None)[0], np.arange(16))


def test_hidden_patches_never_reach_the_encoder(system):
    pictures = jnp.asarray(np.random.default_rng(0).normal(size=(1, 64, 64, 1)), jnp.float32)
    seen = jnp.array([[0, 5, 10, 15]], jnp.int32)
    before = call(system, "encoded_patches", pictures, seen, None)
    # Patch 3 is the last of the first row; cubic resampling reads three pixels beyond its border.
    changed = pictures.at[:, 4:12, 52:, :].add(3.0)
    np.testing.assert_array_equal(call(system, "encoded_patches", changed, seen, None), before)
    moved = pictures.at[:, 4:12, 4:12, :].add(3.0)
    assert np.abs(call(system, "encoded_patches", moved, seen, None) - before).max() > 0.01


def test_the_total_is_pixels_and_words(system, encoded):
    batch = make_batch()
    total, metrics = call(system, "objective", encoded, batch)
    pixels = np.mean(encoded["pixel_error"])
    words = np.sum(encoded["token_error"]) / np.sum(encoded["token_count"])
    np.testing.assert_allclose(total, pixels + words, rtol=1e-6)
    assert metrics["pixel_loss"][0] == pytest.approx(pixels) and words > 1
    # At the start the prediction is small beside normalised patches, whose squares have mean 1.
    assert 0.5 < pixels < 3


def test_rows_without_image_or_report_count_for_nothing(system, encoded):
    batch = make_batch()
    assert (np.asarray(encoded["token_count"]) > 0).tolist() == (
        np.asarray(batch["text_source"]) > 0
    ).tolist()
    absent = {**batch, "has_frontal": batch["has_frontal"].at[2].set(False)}
    without = call(system, "encode", absent, rngs=jax.random.key(1))
    assert without["token_count"][2] == 0
    moved = {**without, "pixel_error": without["pixel_error"].at[2].set(1e6)}
    losses = [float(call(system, "objective", e, absent)[0]) for e in (without, moved)]
    assert losses[0] == losses[1]


def test_words_learn_from_the_image(system):
    """The report branch alone sends a gradient into the image encoder and the map between them."""
    batch = make_batch(2)
    other = {**batch, "frontal": 255 - batch["frontal"]}
    errors = [
        call(system, "encode", b, rngs=jax.random.key(3))["token_error"] for b in (batch, other)
    ]
    assert np.all(np.asarray(errors[0]) != np.asarray(errors[1]))


def test_the_report_branch_has_the_reference_values(shared):
    """Mean of the visible patches after the linear map, joined to every token; hidden tokens alone."""
    oracle = np.load(shared / "oracle" / "mrm.npz")
    names = ("latent", "w", "b", "words", "head")

    def loss(latent, w, b, words, head):
        image = jnp.mean(latent[:, 1:] @ w + b, axis=1)
        conditioned = words + image[:, None]
        return masked_language_loss(
            conditioned @ head, oracle["text_tokens"], oracle["text_predict"]
        ), conditioned

    with jax.enable_x64(True):
        arguments = [jnp.asarray(oracle[f"text_{name}"]) for name in names]
        (value, conditioned), gradients = jax.value_and_grad(loss, argnums=range(5), has_aux=True)(
            *arguments
        )
    np.testing.assert_allclose(conditioned, oracle["text_conditioned"], rtol=1e-9)
    np.testing.assert_allclose(value, oracle["text_loss_hidden"], rtol=1e-9)
    for name, gradient in zip(names, gradients, strict=True):
        np.testing.assert_allclose(gradient, oracle[f"text_grad_{name}"], rtol=1e-8, atol=1e-11)


def test_the_systems_map_to_text_is_that_of_the_reference(system):
    """`word_errors` with the image's vector put in by hand gives what the system gives."""
    batch, keys = make_batch(3), jax.random.split(jax.random.key(5), 3)
    patches = jnp.asarray(np.random.default_rng(1).normal(size=(3, 5, 16)), jnp.float32)
    text = [batch[name] for name in ("tokens", "token_mask", "word_index")]
    given = call(system, "word_errors", patches, *text, keys)
    kernel, bias = (getattr(system.image_to_text, n)[...] for n in ("kernel", "bias"))
    mean = np.asarray(patches)[:, 1:].mean(1) @ np.asarray(kernel) + np.asarray(bias)
    # Patches that all equal one vector have it as their mean: the class token plays no part.
    flat = np.linalg.lstsq(np.asarray(kernel).T, (mean - np.asarray(bias)).T, rcond=None)[0].T
    same = jnp.asarray(np.repeat(flat[:, None], 5, axis=1), jnp.float32).at[:, 0].set(9.0)
    again = call(system, "word_errors", same, *text, keys)
    np.testing.assert_allclose(given["token_error"], again["token_error"], rtol=1e-4)


def test_hidden_words_are_the_same_whatever_the_image(system):
    batch, keys = make_batch(4), jax.random.split(jax.random.key(7), 4)
    text = [batch[name] for name in ("tokens", "token_mask", "word_index")]
    errors = call(system, "masked_report_errors", batch["frontal"], *text, keys)
    assert errors.shape == (4,) and np.all(errors > 1)
    again = call(
        system, "masked_report_errors", batch["frontal"][2:], *(t[2:] for t in text), keys[2:]
    )
    np.testing.assert_allclose(again, errors[2:], rtol=1e-5)
    turned = call(system, "masked_report_errors", batch["frontal"][::-1], *text, keys)
    assert 0 < np.abs(turned - errors).max() < 2
    silent = call(
        system, "masked_report_errors", batch["frontal"], *text[:2], text[2] * 0 - 1, keys
    )
    assert np.all(np.isnan(silent))


def test_without_keys_nothing_is_hidden(system):
    loss, metrics = call(system, "loss", make_batch(2), rngs=None)
    assert loss == 0 and metrics["word_accuracy"][1] == 0


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(visible=1.0), "visible is 1.0.*some patches must be seen"),
        (dict(magnification=0), "magnification is 0"),
        (dict(image=dict(name="vit_small")), "ViT with fixed positions"),
        (dict(augment=dict(flip="horizontal")), "reports name sides"),
    ],
)
def test_options_that_cannot_work_are_refused(changes, message):
    with pytest.raises(OptionError, match=message):
        systems.build("mrm", **options(**changes))
