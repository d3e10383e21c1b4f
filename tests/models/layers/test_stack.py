# SPDX-License-Identifier: Apache-2.0
"""Slicing, rematerialisation and unrolling change how a stack is computed, not what."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medst_jax.models import Bert, BertOptions, ViT, ViTOptions
from medst_jax.parallel.placement import Placement, use_placement

ROWS = 6
ONE_DEVICE = Placement(lambda x, names: x, lambda x, names: x, lambda: 1)
POLICIES = [
    dict(slices=3),
    dict(slices=6, remat="full"),
    dict(slices=2, remat="dots"),
    dict(slices=3, remat="full", unroll=2),
]


def _vit(options):
    images = jax.random.normal(jax.random.key(1), (ROWS, 16, 16, 1))
    return ViT(options, rngs=nnx.Rngs(0)), lambda module, keys: module(images, keys=keys).tokens


def _bert(options):
    tokens = jax.random.randint(jax.random.key(1), (ROWS, 7), 0, 11)
    mask = jnp.arange(7) < jnp.array([7, 5, 3, 1, 7, 2])[:, None]
    call = lambda module, keys: jnp.stack(module(tokens, mask, keys=keys).hidden_states)
    return Bert(options, rngs=nnx.Rngs(0)), call


VIT = ViTOptions(
    patch=8, width=16, depth=3, heads=2, image_size=16, channels=1, dropout=0.1, mlp_ratio=2.0
)
BERT = BertOptions(11, width=16, depth=3, heads=2, mlp=32, max_length=8, dropout=0.1)


def _value_and_gradient(make, options):
    module, call = make(options)
    graphdef, parameters = nnx.split(module)
    keys = jax.random.split(jax.random.key(2), ROWS)

    def loss(parameters):
        out = call(nnx.merge(graphdef, parameters, copy=True), keys)
        return jnp.sum(jnp.sin(out)), out

    # As a training step on one device does. The sum itself cancels: what goes into it is compared.
    with use_placement(ONE_DEVICE):
        gradient, out = jax.jit(jax.grad(loss, has_aux=True))(parameters)
    return out, gradient


@pytest.fixture(scope="module", params=["vit", "bert"])
def plain(request):
    make, options = {"vit": (_vit, VIT), "bert": (_bert, BERT)}[request.param]
    return make, options, _value_and_gradient(make, options)


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_policies_change_neither_value_nor_gradient(plain, policy):
    make, options, (value, gradient) = plain
    got, got_gradient = _value_and_gradient(make, dataclasses.replace(options, **policy))
    np.testing.assert_allclose(got, value, rtol=1e-6, atol=1e-6)
    for one, other in zip(jax.tree.leaves(gradient), jax.tree.leaves(got_gradient), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5)


def test_rows_that_do_not_divide_are_named():
    module, call = _vit(dataclasses.replace(VIT, slices=4))
    one_device = use_placement(ONE_DEVICE)
    with one_device, pytest.raises(ValueError, match="6 examples per device .* slices=4"):
        call(module, None)


def test_a_model_on_its_own_takes_any_batch():
    whole, call = _vit(VIT)
    sliced, _ = _vit(dataclasses.replace(VIT, slices=4))
    np.testing.assert_allclose(call(sliced, None), call(whole, None), rtol=1e-6)


def test_a_model_on_its_own_is_differentiable_in_forward_mode():
    module = ViT(dataclasses.replace(VIT, slices=3, dropout=0.0), rngs=nnx.Rngs(0))
    images = jax.random.normal(jax.random.key(1), (2, 16, 16, 1))
    graphdef, parameters = nnx.split(module)
    total = lambda values: jnp.sum(jnp.sin(nnx.merge(graphdef, values, copy=True)(images).tokens))
    direction = jax.tree.map(jnp.ones_like, parameters)
    _, forward = jax.jvp(total, (parameters,), (direction,))
    gradient = sum(jnp.sum(g) for g in jax.tree.leaves(jax.grad(total)(parameters)))
    np.testing.assert_allclose(forward, gradient, rtol=1e-3)
