# SPDX-License-Identifier: Apache-2.0
"""Encoders: annotations, padding, batch of one, low precision, dropout, errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medst_jax.models import Bert, BertOptions, ResNet, ResNetOptions, ViT, ViTOptions
from tests.models.compiled import build, run

RESNET = dict(widths=(8, 16), blocks=(1, 2), strides=(2, 2), stem_width=8, channels=1)
VIT = dict(width=32, depth=2, heads=2, image_size=32, channels=1)
BERT = dict(width=32, depth=2, heads=2, mlp=64, max_length=16)


def resnet(**changes) -> ResNet:
    options = ResNetOptions.small(**{**RESNET, **changes})
    return build(lambda: ResNet(options, rngs=nnx.Rngs(0)))


def vit(**changes) -> ViT:
    options = ViTOptions.small(**{**VIT, **changes})
    return build(lambda: ViT(options, rngs=nnx.Rngs(0)))


def bert(**changes) -> Bert:
    options = BertOptions.small(30, **{**BERT, **changes})
    return build(lambda: Bert(options, rngs=nnx.Rngs(0)))


def images(count: int = 3) -> jax.Array:
    return jax.random.normal(jax.random.key(1), (count, 32, 32, 1))


def texts(lengths=(8, 3, 5), width: int = 8) -> tuple[jax.Array, jax.Array]:
    tokens = jax.random.randint(jax.random.key(2), (len(lengths), 8), 5, 30)
    tokens = jnp.pad(tokens, ((0, 0), (0, width - 8)))
    mask = jnp.arange(width)[None] < jnp.array(lengths)[:, None]
    return jnp.where(mask, tokens, 0), mask


@pytest.mark.parametrize("make", [resnet, lambda: resnet(block="bottleneck"), vit, bert])
def test_every_variable_names_its_axes(make):
    known = {"embed", "mlp", "heads", "vocab", "conv_in", "conv_out", "layers", "position", None}
    for path, variable in nnx.to_flat_state(nnx.state(make())):
        axes = variable.get_metadata("axes")
        assert len(axes) == variable.ndim, path
        assert set(axes) <= known, path
        assert ("layers" in axes) == (path[0] in ("layers", "blocks")), path


def test_layers_of_a_stack_start_different_and_as_their_initialiser_says():
    options = BertOptions.small(30, **BERT)
    kernel = jax.jit(lambda: Bert(options, rngs=nnx.Rngs(0)).layers.mlp.fc1.kernel[...])()
    assert kernel.shape == (2, 32, 64)
    assert not np.allclose(kernel[0], kernel[1])
    np.testing.assert_allclose(kernel.std((1, 2)), options.init_std, rtol=0.05)


def test_convolutions_start_by_kaiming():
    options = ResNetOptions.small(**RESNET)
    kernel = jax.jit(lambda: ResNet(options, rngs=nnx.Rngs(0)).layer2[0].conv2.kernel[...])()
    np.testing.assert_allclose(kernel.std(), np.sqrt(2 / (9 * 16)), rtol=0.05)


def test_padding_and_neighbours_change_nothing():
    model = bert()
    short = run(model, *texts())
    long = run(model, *texts(width=14))
    alone = run(model, *(x[1:2] for x in texts()))
    _, mask = texts()
    for a, b, c in zip(*(out.hidden_states for out in (short, long, alone)), strict=True):
        np.testing.assert_allclose(a[mask], b[:, :8][mask], atol=1e-5)
        np.testing.assert_allclose(a[1], c[0], atol=1e-5)


def test_a_text_without_tokens_stays_finite():
    model, (tokens, mask) = bert(), texts((0, 8, 1))

    graphdef, parameters = nnx.split(model)

    def loss(parameters):
        states = nnx.merge(graphdef, parameters)(tokens, mask).hidden_states
        return sum(jnp.square(state + 1).sum() for state in states)

    for leaf in jax.tree.leaves(jax.jit(jax.grad(loss))(parameters)):
        assert np.isfinite(leaf).all()


@pytest.mark.parametrize("make", [resnet, vit])
def test_a_batch_of_one_equals_its_row(make):
    model = make()
    out, one = run(model, images()), run(model, images()[1:2])
    assert out.pooled.dtype == jnp.float32
    assert out.pooled.shape == (3, model.features)
    assert out.patches.shape[::2] == (3, model.features)
    np.testing.assert_allclose(out.pooled[1], one.pooled[0], atol=1e-5)
    np.testing.assert_allclose(out.patches[1], one.patches[0], atol=1e-5)


def test_a_batch_of_one_trains():
    model = resnet()
    assert np.isfinite(trained(model, images(1))).all()
    assert np.isfinite(model.bn1.var[...]).all()


@pytest.mark.parametrize("make", [resnet, vit])
def test_low_precision_images(make):
    full, half = run(make(), images()), run(make(dtype="bfloat16"), images())
    assert half.patches.dtype == jnp.bfloat16
    assert half.pooled.dtype == jnp.float32
    scale = float(jnp.abs(full.pooled).max())
    np.testing.assert_allclose(half.pooled / scale, full.pooled / scale, atol=0.05)


def test_low_precision_text():
    full, half = run(bert(), *texts()), run(bert(dtype="bfloat16"), *texts())
    for a, b in zip(full.hidden_states, half.hidden_states, strict=True):
        assert b.dtype == jnp.bfloat16
        np.testing.assert_allclose(a, b.astype(jnp.float32), atol=0.1)


def trained(model: ResNet, x: jax.Array, steps: int = 1) -> jax.Array:
    """Pooled output of the last of `steps` training passes, whose statistics stay in `model`."""
    graphdef, state = nnx.split(model)

    @jax.jit
    def step(state):
        copy = nnx.merge(graphdef, state, copy=True)
        pooled = copy(x, train=True).pooled
        return pooled, nnx.state(copy)

    for _ in range(steps):
        pooled, state = step(state)
    nnx.update(model, state)
    return pooled


def test_batch_norm_trains_on_the_batch_and_evaluates_on_the_average():
    model = resnet()
    before = run(model, images()).pooled
    pooled = trained(model, images(), steps=200)
    after = run(model, images()).pooled
    assert not np.allclose(before, after)
    np.testing.assert_allclose(after, pooled, rtol=0.1, atol=0.02)


def keys(count: int) -> jax.Array:
    return jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(3), jnp.arange(count))


def test_dropout_follows_the_example_not_the_row():
    model, (tokens, mask) = bert(dropout=0.3), texts()
    out = run(model, tokens, mask, keys=keys(3)).hidden_states[-1]
    flipped = run(model, tokens[::-1], mask[::-1], keys=keys(3)[::-1]).hidden_states[-1]
    np.testing.assert_allclose(out, flipped[::-1], atol=1e-5)
    assert not np.allclose(out, run(model, tokens, mask).hidden_states[-1])
    assert not np.allclose(out, run(model, tokens, mask, keys=keys(4)[1:]).hidden_states[-1])


def test_dropout_of_vit():
    model = vit(dropout=0.3)
    out = run(model, images(), keys=keys(3)).pooled
    alone = run(model, images()[2:], keys=keys(3)[2:]).pooled
    np.testing.assert_allclose(out[2], alone[0], atol=1e-5)
    assert not np.allclose(out, run(model, images()).pooled)


def test_errors_name_the_sizes():
    with pytest.raises(ValueError, match="3 channels; this ResNet takes 1"):
        run(resnet(), jnp.zeros((1, 32, 32, 3)))
    with pytest.raises(ValueError, match=r"images are \(16, 16, 1\)"):
        run(vit(), jnp.zeros((1, 16, 16, 1)))
    with pytest.raises(ValueError, match="17 tokens; this Bert takes 16"):
        run(bert(), jnp.zeros((1, 17), int), jnp.ones((1, 17), bool))
    with pytest.raises(ValueError, match="width 32 is not divisible by heads 3"):
        bert(heads=3)
    with pytest.raises(ValueError, match="one value per stage"):
        resnet(blocks=(1,))
    with pytest.raises(ValueError, match="not divisible by patch"):
        vit(image_size=30)


@pytest.mark.parametrize(
    ("changes", "side", "cells"),
    [
        (dict(), 64, 2),
        (dict(strides=(2, 2, 1, 1)), 64, 8),
        (dict(dilate_last=True), 64, 4),
        (dict(stem="imagenet"), 64, 1),
        (dict(stem="wide", strides=(1, 1, 2, 1)), 64, 8),
    ],
)
def test_stride_is_the_distance_of_cells(changes, side, cells):
    options = ResNetOptions.small(channels=1, **changes)
    assert options.stride * cells == side
    shapes = jax.eval_shape(
        lambda x: ResNet(options, rngs=nnx.Rngs(0))(x).stages[-1],
        jax.ShapeDtypeStruct((1, side, side, 1), jnp.float32),
    )
    assert shapes.shape[1:3] == (cells, cells)
