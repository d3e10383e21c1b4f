# SPDX-License-Identifier: Apache-2.0
"""M-FLAG: the total in numpy, the frozen text encoder, missing rows, one row, bf16."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medst_jax import systems
from medst_jax.systems.parts.pairs import paired
from tests.losses.reference import unit
from tests.systems.make_batch import OPTIONS, OWN, TEXT, call, make_batch


def build(**changes):
    known = {**OPTIONS, **TEXT, **OWN["m_flag"], **changes}
    return systems.build("m_flag", **known)


@pytest.fixture(scope="module")
def system():
    return build()


@pytest.fixture(scope="module")
def encoded(system):
    return call(system, "encode", make_batch(), rngs=jax.random.key(1))


def normalised(x):
    return (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)


def head(module, x):
    """Linear, batch norm, ReLU, linear, batch norm without scale, at its first weights."""
    x = np.asarray(x, np.float64)
    for linear, last in ((module.fc1, False), (module.fc2, True)):
        x = normalised(x @ np.asarray(linear.kernel[...]) + np.asarray(linear.bias[...]))
        x = x if last else np.maximum(x, 0)
    return unit(x)


def test_the_total_is_the_papers(system, encoded):
    batch = make_batch()
    rows = np.flatnonzero(paired(batch))
    total, metrics = call(system, "objective", encoded, batch)
    image, text = (
        head(getattr(system, f"{name}_head"), np.asarray(encoded[name])[rows])
        for name in ("image", "text")
    )
    alignment = np.mean(4 - 4 * (image * text).sum(1))
    features = np.asarray(encoded["image"], np.float64)[rows]
    products = features.T @ features / len(rows)
    weights = np.where(np.eye(len(products), dtype=bool), 1.0, 0.0051)
    geometry = np.sum(weights * (products - np.eye(len(products))) ** 2) / 2
    assert len(rows) == 5
    np.testing.assert_allclose(metrics["alignment_loss"][0], alignment, rtol=1e-4)
    np.testing.assert_allclose(metrics["orthogonality_loss"][0], geometry, rtol=1e-5)
    np.testing.assert_allclose(total, alignment + geometry, rtol=1e-4)
    without, _ = call(build(orthogonality_weight=0.0), "objective", encoded, batch)
    np.testing.assert_allclose(without, alignment, rtol=1e-4)


def test_the_text_encoder_has_no_parameters_and_its_words_no_dropout(system, encoded):
    trained = {path[0] for path, _ in nnx.to_flat_state(nnx.state(system, nnx.Param))}
    assert trained == {"image_encoder", "image_head", "text_head"}
    batch = make_batch()
    states = system.text_encoder(batch["tokens"], batch["token_mask"]).hidden_states[-1]
    np.testing.assert_allclose(encoded["text"], states[:, 0], atol=1e-5)
    embedded = call(system, "encode_text", batch["tokens"], batch["token_mask"])
    np.testing.assert_allclose(embedded.features, states[:, 0], atol=1e-5)


def test_rows_without_image_or_text_count_for_nothing(system, encoded):
    batch = make_batch()
    absent = {**batch, "has_frontal": batch["has_frontal"].at[2].set(False)}
    moved = {key: value.at[2].set(1e3) for key, value in encoded.items()}
    losses = [call(system, "objective", e, absent)[0] for e in (encoded, moved)]
    assert losses[0] == losses[1]
    silent = {**batch, "text_source": batch["text_source"] * 0}
    assert call(system, "objective", encoded, silent)[0] == 0


def test_a_batch_of_one_and_bfloat16_encoders_give_finite_float32(system):
    assert np.isfinite(call(system, "loss", make_batch(1), rngs=None)[0])
    low = dict(
        image={**OPTIONS["image"], "dtype": "bfloat16"},
        text={**TEXT["text"], "dtype": "bfloat16"},
    )
    half = call(build(**low), "loss", make_batch(), rngs=None)[0]
    whole = call(system, "loss", make_batch(), rngs=None)[0]
    assert half.dtype == jnp.float32
    np.testing.assert_allclose(half, whole, rtol=0.1)
