# SPDX-License-Identifier: Apache-2.0
"""FLOPs against closed formulas and published figures."""

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from medst_jax.models import (
    Bert,
    BertOptions,
    ResNet,
    ResNetOptions,
    TextTransformer,
    TextTransformerOptions,
    ViT,
    ViTOptions,
)
from medst_jax.plan.flops import forward_flops

S = jax.ShapeDtypeStruct


def _flops(make, *arguments):
    graphdef, state = nnx.split(nnx.eval_shape(make))
    return forward_flops(lambda s, *a: nnx.merge(graphdef, s)(*a), state, *arguments)


def _layers(depth, length, width, hidden):
    """2 x (qkv, out, two of the MLP) x tokens, and two products of attention."""
    dense = length * (4 * width * width + 2 * width * hidden)
    return depth * 2 * (dense + 2 * length * length * width)


def _value_biases(depth, width):
    """Through the output projection, once a call, where attention has no dropout."""
    return depth * 2 * width * width


def test_products_convolutions_loops_and_branches():
    a, b = S((2, 3, 4), jnp.float32), S((2, 4, 5), jnp.float32)
    assert forward_flops(lambda a, b: a @ b, a, b) == 2 * 2 * 3 * 4 * 5
    scanned = lambda x, w: jax.lax.scan(lambda x, k: (x @ k, None), x, w)[0]
    x, w = S((3, 8), jnp.float32), S((7, 8, 8), jnp.float32)
    assert forward_flops(scanned, x, w) == 7 * 2 * 3 * 8 * 8
    assert forward_flops(jax.checkpoint(scanned), x, w) == 7 * 2 * 3 * 8 * 8
    branch = lambda p, x: jax.lax.cond(p, lambda x: x @ x.T, lambda x: x @ x.T @ x @ x.T, x)
    assert forward_flops(branch, S((), bool), x) == 2 * 3 * 3 * 8 * 3
    image, kernel = S((1, 8, 8, 6), jnp.float32), S((3, 3, 2, 9), jnp.float32)

    def convolve(image, kernel):
        return jax.lax.conv_general_dilated(
            image,
            kernel,
            (2, 2),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=3,
        )

    assert forward_flops(convolve, image, kernel) == 2 * 3 * 3 * 2 * 9 * 16


def test_unused_results_are_free():
    x = S((8, 8), jnp.float32)
    assert forward_flops(lambda x: (x @ x, (x @ x @ x)[0])[0], x) == 2 * 8**3


def test_sharded_bodies_count_on_every_device():
    mesh = jax.make_mesh((1,), ("x",), axis_types=(jax.sharding.AxisType.Auto,))
    spec = jax.sharding.PartitionSpec("x")
    product = jax.shard_map(lambda a: a @ a, mesh=mesh, in_specs=spec, out_specs=spec)
    assert forward_flops(product, S((4, 4), jnp.float32)) == 2 * 4**3


def test_vit_b16():
    images = S((1, 224, 224, 3), jnp.float32)
    embed = 2 * 196 * 768 * 768
    got = _flops(lambda: ViT(ViTOptions.vit_b16(remat="full"), rngs=nnx.Rngs(0)), images)
    assert got == _layers(12, 197, 768, 3072) + _value_biases(12, 768) + embed
    pooled = _flops(lambda: ViT(ViTOptions.vit_b16(pooling="map"), rngs=nnx.Rngs(0)), images)
    pool = 2 * (768 * 768 * 2 + 196 * 768 * 2 * 768 + 2 * 196 * 768 + 2 * 768 * 3072)
    assert pooled == _layers(12, 196, 768, 3072) + _value_biases(12, 768) + embed + pool


def test_text_towers():
    tokens, mask = S((1, 64), jnp.int32), S((1, 64), jnp.bool_)
    bert = _flops(lambda: Bert(BertOptions.bert_base(1000), rngs=nnx.Rngs(0)), tokens, mask)
    assert bert == _layers(12, 64, 768, 3072)
    options = TextTransformerOptions.base(1000)
    text = _flops(lambda: TextTransformer(options, rngs=nnx.Rngs(0)), tokens, mask)
    last = 2 * 64 * 768  # the choice of the last token
    assert text == _layers(12, 64, 768, 3072) + _value_biases(12, 768) + last


def test_resnet50_has_the_published_count():
    images = S((1, 224, 224, 3), jnp.float32)
    got = _flops(lambda: ResNet(ResNetOptions.resnet50(), rngs=nnx.Rngs(0)), images)
    # 4.09e9 multiply-accumulates with the classifier's 2e6 (torchvision).
    assert got / 2 == pytest.approx(4.087e9, rel=0.005)
