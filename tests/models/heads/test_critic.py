# SPDX-License-Identifier: Apache-2.0
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medst_jax.models.heads.critic import CRITICS, CriticOptions, pair_scores

SIZES = dict(hidden=(6, 5), rank=4)


def make(name):
    return CRITICS[name](3, 7, CriticOptions(name=name, **SIZES), rngs=nnx.Rngs(0))


def reference(name, critic, image, text):
    """One pair at a time from the parameters, float64; the perceptron on the concatenation."""
    arrays = {
        "/".join(map(str, p)): np.asarray(v[...], np.float64)
        for p, v in nnx.to_flat_state(nnx.state(critic))
    }
    if name == "bilinear":
        u = image @ arrays["image/kernel"] + arrays["image/bias"]
        v = text @ arrays["text/kernel"] + arrays["text/bias"]
        return u @ v / np.sqrt(4)
    first = np.concatenate([arrays["image/kernel"], arrays["text/kernel"]])
    hidden = np.maximum(np.concatenate([image, text]) @ first + arrays["image/bias"], 0)
    hidden = np.maximum(hidden @ arrays["middle/kernel"] + arrays["middle/bias"], 0)
    return (hidden @ arrays["last/kernel"] + arrays["last/bias"])[0]


@pytest.mark.parametrize("name", CRITICS)
@pytest.mark.parametrize("chunk", [1, 2, 3, 64])
def test_every_pair_is_scored_by_its_best_region(name, chunk):
    rng = np.random.default_rng(0)
    critic, images, texts = make(name), rng.normal(size=(4, 2, 3)), rng.normal(size=(5, 7))
    scores = pair_scores(critic, jnp.float32(images), jnp.float32(texts), chunk)
    expected = [
        [max(reference(name, critic, region, text) for region in image) for image in images]
        for text in texts
    ]
    np.testing.assert_allclose(scores, expected, atol=1e-5)


@pytest.mark.parametrize("name", CRITICS)
def test_chunks_change_neither_value_nor_gradient(name):
    rng = np.random.default_rng(1)
    critic = make(name)
    graph, state = nnx.split(critic)
    images, texts = (jnp.float32(rng.normal(size=s)) for s in ((4, 2, 3), (5, 7)))
    weights = jnp.float32(rng.normal(size=(5, 4)))

    def total(state, images, texts, chunk):
        return jnp.sum(weights * pair_scores(nnx.merge(graph, state), images, texts, chunk))

    whole = jax.grad(total, (0, 1, 2))(state, images, texts, 5)
    parts = jax.grad(total, (0, 1, 2))(state, images, texts, 2)
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(parts), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
