# SPDX-License-Identifier: Apache-2.0
"""A ResNet whose equal blocks run in a loop is the one whose blocks run in turn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.extend.core import ClosedJaxpr

from medst_jax.models import ResNet, ResNetOptions

_PRODUCTS = ("conv_general_dilated", "dot_general")  # a 1 x 1 convolution is the second
SIZES = dict(widths=(4, 6), blocks=(3, 2), strides=(1, 2), stem="small", stem_width=8, channels=1)


def _made(repeat, **options):
    return ResNet(ResNetOptions(**SIZES, repeat=repeat, **options), rngs=nnx.Rngs(0))


def _run(model, images, train):
    """Outputs, gradients of the parameters, and the state after it."""
    graphdef, parameters, rest = nnx.split(model, nnx.Param, ...)

    def loss(parameters):
        copy = nnx.merge(graphdef, parameters, rest, copy=True)
        output = copy(images, train=train)
        total = sum(jnp.sum(jnp.sin(stage.astype(jnp.float32))) for stage in output.stages)
        return total, (output, nnx.state(copy, nnx.BatchStat))

    gradients, (output, statistics) = jax.jit(jax.grad(loss, has_aux=True))(parameters)
    return output, gradients, statistics


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("remat", ["none", "full"])
def test_values_gradients_and_statistics_are_equal(block, train, remat):
    images = jax.random.normal(jax.random.key(1), (3, 16, 16, 1))
    one, other = (
        _run(_made(repeat, block=block, remat=remat), images, train)
        for repeat in ("unroll", "scan")
    )
    for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        # Float32 sums in another order: errors are of the size of an array's largest values.
        np.testing.assert_allclose(left, right, rtol=0, atol=1e-5 * (1 + np.max(np.abs(right))))


def test_running_statistics_move_in_every_block():
    model = _made("scan", block="basic")
    before = jax.tree.map(jnp.copy, nnx.state(model, nnx.BatchStat))
    model(jax.random.normal(jax.random.key(1), (4, 16, 16, 1)), train=True)
    after = nnx.state(model, nnx.BatchStat)
    moved = jax.tree.map(lambda a, b: bool(jnp.any(a != b)), before, after)
    assert all(jax.tree.leaves(moved))


def test_of_a_stages_equal_blocks_one_is_compiled():
    images = jnp.zeros((2, 16, 16, 1))

    def convolutions(jaxpr):
        inner = (value for eqn in jaxpr.eqns for value in eqn.params.values())
        own = sum(eqn.primitive.name in _PRODUCTS for eqn in jaxpr.eqns)
        return own + sum(convolutions(v.jaxpr) for v in inner if isinstance(v, ClosedJaxpr))

    unrolled, looped = (
        convolutions(jax.make_jaxpr(_made(repeat, block="bottleneck"))(images).jaxpr)
        for repeat in ("unroll", "scan")
    )
    # Stem; first blocks 2 x 4; further blocks unrolled 3 x 3, in loops 2 x 3.
    assert unrolled == 1 + 8 + 9
    assert looped == 1 + 8 + 6
