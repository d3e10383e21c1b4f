# SPDX-License-Identifier: Apache-2.0
"""Fixed positions, a ViT that encodes some patches, the decoder of the others, a Bert with a guest."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medst_jax.models import Bert, BertOptions, ViT, ViTOptions
from medst_jax.models.heads.patch_decoder import PatchDecoder, PatchDecoderOptions
from medst_jax.models.layers.sincos_positions import sincos_positions
from tests.models.compiled import build, run

OPTIONS = ViTOptions.small(
    width=16, depth=2, heads=2, image_size=32, channels=1, positions="sincos"
)


@pytest.fixture(scope="module")
def vit():
    return build(lambda: ViT(OPTIONS, rngs=nnx.Rngs(0)))


def images(rows=2):
    return jnp.asarray(np.random.default_rng(0).normal(size=(rows, 32, 32, 1)), jnp.float32)


def test_positions_are_sines_and_cosines_of_column_and_row():
    side, width = 3, 8
    table = sincos_positions(side, width)
    assert table.shape == (1, 10, 8) and not table[0, 0].any()
    for row in range(side):
        for column in range(side):
            expected = []
            for axis in (column, row):
                rates = [10_000 ** (-k / 2) for k in range(2)]
                expected += [math.sin(axis * r) for r in rates]
                expected += [math.cos(axis * r) for r in rates]
            np.testing.assert_allclose(table[0, 1 + row * side + column], expected, atol=1e-6)
    with pytest.raises(ValueError, match="width is 6"):
        sincos_positions(2, 6)


def test_fixed_positions_are_stored_but_not_trained(vit):
    parameters = {path[0] for path, _ in nnx.to_flat_state(nnx.state(vit, nnx.Param))}
    rest = {path[0] for path, _ in nnx.to_flat_state(nnx.state(vit, nnx.BatchStat))}
    assert "pos_embed" not in parameters and rest == {"pos_embed"}
    with pytest.raises(ValueError, match="pooling 'cls'"):
        ViTOptions.small(positions="sincos", pooling="map")


def test_all_patches_visible_is_the_whole_image(vit):
    whole = run(vit, images())
    every = jnp.broadcast_to(jnp.arange(16, dtype=jnp.int32), (2, 16))
    seen = run(vit, images(), visible=every)
    np.testing.assert_allclose(seen.tokens, whole.tokens, atol=1e-6)


def test_the_order_of_visible_patches_is_that_of_the_tokens(vit):
    some = jnp.array([[1, 6, 9], [0, 2, 15]], jnp.int32)
    turned = some[:, ::-1]
    first, second = run(vit, images(), visible=some), run(vit, images(), visible=turned)
    np.testing.assert_allclose(first.patches[:, ::-1], second.patches, atol=1e-5)
    np.testing.assert_allclose(first.pooled, second.pooled, atol=1e-5)


def test_an_image_is_encoded_alone(vit):
    some = jnp.array([[1, 6, 9], [0, 2, 15]], jnp.int32)
    both = run(vit, images(), visible=some)
    one = run(vit, images()[1:], visible=some[1:])
    np.testing.assert_allclose(both.patches[1:], one.patches, atol=1e-5)


@pytest.fixture(scope="module")
def decoder():
    sizes = PatchDecoderOptions(width=16, depth=1, heads=2)
    return build(lambda: PatchDecoder(sizes, 12, 3, 5, rngs=nnx.Rngs(0)))


def test_the_decoder_puts_each_patch_at_its_place(decoder):
    tokens = jnp.asarray(np.random.default_rng(1).normal(size=(2, 4, 12)), jnp.float32)
    visible = jnp.array([[0, 4, 8], [1, 2, 3]], jnp.int32)
    pixels = run(decoder, tokens, visible)
    assert pixels.shape == (2, 9, 5) and pixels.dtype == jnp.float32
    order = jnp.array([0, 3, 1, 2])
    turned = run(decoder, tokens[:, order], visible[:, order[1:] - 1])
    np.testing.assert_allclose(turned, pixels, atol=1e-5)
    # Hidden patches differ by their positions alone.
    assert np.abs(pixels[0, 1] - pixels[0, 2]).max() > 1e-4


def test_hidden_patches_read_those_that_were_seen(decoder):
    tokens = jnp.asarray(np.random.default_rng(1).normal(size=(1, 4, 12)), jnp.float32)
    visible = jnp.array([[0, 4, 8]], jnp.int32)
    gradient = jax.grad(lambda t: jnp.sum(decoder(t, visible)[0, 1] ** 2))(tokens)
    assert np.all(np.abs(gradient).max(2) > 0)


def test_a_vector_joined_to_a_text_is_added_to_every_embedding():
    options = BertOptions.small(30, width=16, depth=1, heads=2, mlp=16)
    bert = build(lambda: Bert(options, rngs=nnx.Rngs(0)))
    tokens = jnp.array([[2, 7, 9, 0]], jnp.int32)
    mask = jnp.array([[True, True, True, False]])
    image = jnp.asarray(np.random.default_rng(2).normal(size=(1, 16)), jnp.float32)
    alone, joined = run(bert, tokens, mask), run(bert, tokens, mask, added=image)
    np.testing.assert_allclose(
        joined.hidden_states[0], alone.hidden_states[0] + image[:, None], atol=1e-6
    )
    zero = run(bert, tokens, mask, added=jnp.zeros_like(image))
    np.testing.assert_array_equal(zero.hidden_states[-1], alone.hidden_states[-1])
