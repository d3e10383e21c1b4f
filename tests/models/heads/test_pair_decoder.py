# SPDX-License-Identifier: Apache-2.0
"""The decoder of pairs: value and gradient in numpy, pair by pair; masks, chunks, one row, bfloat16."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medst_jax.models.heads.pair_decoder import PairDecoder, PairDecoderOptions, decoded_pairs

WIDTH, HEADS, ROWS, ASKED, PARTS = 8, 2, 3, 4, 5
OPTIONS = dict(heads=HEADS, depth=2, mlp=12, hidden=(10, 6), chunk=3)
MASK = np.ones((ROWS, PARTS), bool)
MASK[1, 2:] = False


def build(**changes):
    options = PairDecoderOptions(**{**OPTIONS, **changes})
    decoder = PairDecoder(WIDTH, options, rngs=nnx.Rngs(0))
    rng = np.random.default_rng(5)
    # Weights and norms that make a difference, larger than the drawn ones.
    for _, variable in nnx.to_flat_state(nnx.state(decoder, nnx.Param)):
        value = np.asarray(variable[...])
        variable[...] = jnp.asarray(value + 0.3 * rng.normal(size=value.shape), value.dtype)
    return decoder


def given(rows=ROWS, asked=ASKED):
    rng = np.random.default_rng(6)
    return rng.normal(size=(asked, WIDTH)), 2 * rng.normal(size=(rows, PARTS, WIDTH)) + 1


def weights(module):
    return jax.tree.map(lambda x: np.asarray(x, np.float64), nnx.to_pure_dict(nnx.state(module)))


def norm(x, w):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * w["scale"] + w["bias"]


def plain(w, question, parts):
    """One question to the parts of one example: its score, and the mean map of each layer."""
    decoder, maps = w["decoder"], []
    x, parts = norm(question, decoder["norm"]), norm(parts, decoder["norm"])
    for number in range(OPTIONS["depth"]):
        layer = jax.tree.map(lambda leaf, n=number: leaf[n], decoder["layers"])
        cross = layer["cross"]

        def project(name, values, cross=cross):
            return np.einsum("...d,dhk->...hk", values, cross[name]["kernel"]) + cross[name]["bias"]

        query = project("query", norm(x, layer["norm2"]))
        scores = np.einsum("hk,phk->hp", query, project("key", parts)) / np.sqrt(WIDTH // HEADS)
        shares = np.exp(scores - scores.max(1, keepdims=True))
        shares = shares / shares.sum(1, keepdims=True)
        maps.append(shares.mean(0))
        seen = np.einsum("hp,phk->hk", shares, project("value", parts))
        x = x + np.einsum("hk,hkd->d", seen, cross["out"]["kernel"]) + cross["out"]["bias"]
        fc1, fc2 = layer["mlp"]["fc1"], layer["mlp"]["fc2"]
        hidden = np.maximum(norm(x, layer["norm3"]) @ fc1["kernel"] + fc1["bias"], 0)
        x = x + hidden @ fc2["kernel"] + fc2["bias"]
    x = norm(x, decoder["norm"])
    *inner, last = [w["linears"][key] for key in sorted(w["linears"])]
    for linear in inner:
        x = np.maximum(x @ linear["kernel"] + linear["bias"], 0)
    return (x @ last["kernel"] + last["bias"])[0], np.mean(maps, 0)


def matrix(w, questions, parts):
    return np.array(
        [[plain(w, q, p[m])[0] for p, m in zip(parts, MASK, strict=True)] for q in questions]
    )


@pytest.mark.parametrize("chunk", [1, 3, 32])
def test_every_pair_is_the_one_in_numpy_and_so_is_its_gradient(chunk):
    decoder, (questions, parts) = build(), given()
    known, probe = weights(decoder), np.random.default_rng(7).normal(size=(ASKED, ROWS))
    graph, state = nnx.split(decoder)

    @jax.jit
    def both(state, *sides):
        def scalar(state, *sides):
            scores = decoded_pairs(nnx.merge(graph, state, copy=True), *sides, MASK, chunk)
            return jnp.sum(scores * probe), scores

        return jax.value_and_grad(scalar, argnums=(0, 1, 2), has_aux=True)(state, *sides)

    sides = [jnp.asarray(side, jnp.float32) for side in (questions, parts)]
    (_, scores), (of_state, *gradients) = both(state, *sides)
    np.testing.assert_allclose(scores, matrix(known, questions, parts), atol=2e-5)

    def slope(move):
        step = 1e-5
        return sum(
            sign * np.sum(probe * matrix(*move(sign * step))) / (2 * step) for sign in (1, -1)
        )

    rng = np.random.default_rng(8)
    for number, side in enumerate((questions, parts)):
        direction = rng.normal(size=side.shape)

        def moved(step, number=number, direction=direction):
            both = [questions, parts]
            both[number] = both[number] + step * direction
            return (known, *both)

        wanted = slope(moved)
        np.testing.assert_allclose(np.sum(gradients[number] * direction), wanted, rtol=1e-3)
    flat = jax.tree.map(np.asarray, nnx.to_pure_dict(of_state))
    direction = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), known)

    def moved_weights(step):
        return jax.tree.map(lambda w, d: w + step * d, known, direction), questions, parts

    products = jax.tree.map(lambda g, d: np.sum(g * d), flat, direction)
    np.testing.assert_allclose(sum(jax.tree.leaves(products)), slope(moved_weights), rtol=1e-3)


def test_masked_parts_are_never_read_and_get_no_gradient():
    decoder, (questions, parts) = build(), given()
    sides = [jnp.asarray(side, jnp.float32) for side in (questions, parts)]

    def total(parts):
        return jnp.sum(decoded_pairs(decoder, sides[0], parts, MASK, 3) ** 2)

    gradient = jax.grad(total)(sides[1])
    assert not np.any(gradient[1, 2:]) and np.any(gradient[1, :2]) and np.any(gradient[0, 2:])
    other = sides[1].at[1, 2:].set(50.0)
    np.testing.assert_allclose(total(other), total(sides[1]), rtol=1e-6)


def test_maps_are_the_mean_over_layers_and_heads():
    decoder, (questions, parts) = build(), given()
    maps = decoder.maps(jnp.float32(questions), jnp.float32(parts), MASK)
    assert maps.shape == (ROWS, ASKED, PARTS)
    for row, known in enumerate(MASK):
        for number, question in enumerate(questions):
            wanted = plain(weights(decoder), question, parts[row][known])[1]
            np.testing.assert_allclose(maps[row, number][known], wanted, atol=2e-5)
            assert not np.any(maps[row, number][~known])


def test_one_pair_and_bfloat16():
    questions, parts = (jnp.asarray(side, jnp.float32) for side in given(1, 1))
    whole = build()(questions, parts, MASK[:1])
    assert whole.shape == (1, 1)
    low = build(dtype="bfloat16")
    half = low(questions.astype(jnp.bfloat16), parts.astype(jnp.bfloat16), MASK[:1])
    assert half.dtype == jnp.float32
    np.testing.assert_allclose(half, whole, rtol=0.1, atol=0.1)
