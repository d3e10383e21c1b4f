# SPDX-License-Identifier: Apache-2.0
"""SigLIP's objective: the paper's start, its value from the encodings, which pairs count."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax import systems
from tests.losses import reference
from tests.systems.make_batch import OPTIONS, TEXT, make_batch


@pytest.fixture(scope="module")
def system():
    return systems.build("siglip", **OPTIONS, **TEXT)


@pytest.fixture(scope="module")
def encoded():
    rng = np.random.default_rng(0)
    return {
        key: jnp.asarray(reference.unit(rng.normal(size=(6, 16))), jnp.float32)
        for key in ("image", "text")
    }


def test_scale_and_bias_start_as_in_the_paper(system, encoded):
    _, metrics = jax.jit(system.objective)(encoded, make_batch())
    np.testing.assert_allclose(metrics["scale"][0], 10.0, rtol=1e-6)
    assert float(metrics["bias"][0]) == -10.0


def test_the_loss_is_that_of_the_pairs_that_count(system, encoded):
    batch = make_batch()
    image, text = (np.asarray(encoded[key], np.float64) for key in ("image", "text"))
    mask = np.asarray(batch["text_source"]) > 0
    study, words = (np.asarray(batch[key]) for key in ("study", "text"))
    negatives = (study[:, None] != study) & (words[:, None] != words)
    expected = reference.siglip(image, text, 10.0, -10.0, mask, negatives)
    value, _ = jax.jit(system.objective)(encoded, batch)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    assert not np.all(negatives[~np.eye(6, dtype=bool)])


def test_the_scale_may_pass_a_hundred(system):
    before = system.scale.log_scale[...]
    system.scale.log_scale[...] = jnp.log(jnp.float32(117.0))
    np.testing.assert_allclose(system.scale(), 117.0, rtol=1e-5)
    system.scale.log_scale[...] = before
