# SPDX-License-Identifier: Apache-2.0
"""Layers over flat rows beside the plain stack: value, gradient, masks, and when each is taken.

The kernels are interpreted: they run on TPUs alone, where none was at hand.
"""

import json
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medst_jax.models.layers import row_kernels, row_stack
from medst_jax.models.layers.attention import attend
from medst_jax.models.layers.pre_norm import PreNormLayer, run_layers
from medst_jax.models.layers.stack import stack_layers
from medst_jax.parallel.mesh import make_mesh
from medst_jax.parallel.rules import get_rules, use_rules
from tests.parallel.together import finish, start

WIDTH, HEADS, DEPTH = 128, 2, 2
PLAIN = types.SimpleNamespace(remat="none", unroll=1, slices=1, attention="einsum")


def layers(
    dtype: str = "float32", heads: int = HEADS, rate: float = 0.0, **options
) -> PreNormLayer:
    """Layers whose biases and scales are not those of the start."""

    def one(rngs: nnx.Rngs) -> PreNormLayer:
        return PreNormLayer(
            WIDTH,
            heads,
            2 * WIDTH,
            activation="gelu_tanh",
            rate=rate,
            epsilon=1e-6,
            kernel_init=nnx.initializers.normal(0.05),
            dtype=dtype,
            rngs=rngs,
            **options,
        )

    with nnx.use_eager_sharding(False):
        graphdef, values = nnx.split(stack_layers(one, DEPTH, nnx.Rngs(0)))
        keys = iter(jax.random.split(jax.random.key(1), 100))
        moved = jax.tree.map(lambda v: v + 0.05 * jax.random.normal(next(keys), v.shape), values)
        return nnx.merge(graphdef, moved)


def inputs(batch: int, length: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Activations, weights of the result, and a mask with rows of one token and of all."""
    rng = np.random.default_rng(length)
    x, weights = (
        jnp.asarray(rng.normal(size=(batch, length, WIDTH)), jnp.float32) for _ in range(2)
    )
    lengths = rng.integers(1, length + 1, batch)
    lengths[:2] = 1, length
    return x, weights, jnp.asarray(np.arange(length) < lengths[:, None])


def gradients(run, dtype, x, weights):
    graphdef, values = nnx.split(layers(dtype))

    def loss(values, x):
        result = run(nnx.merge(graphdef, values), x.astype(dtype))
        return jnp.sum(result.astype(jnp.float32) * weights)

    value, found = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))(values, x)
    return float(value), {
        jax.tree_util.keystr(path): np.asarray(leaf, np.float64)
        for path, leaf in jax.tree_util.tree_leaves_with_path(found)
    }


def distance(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> float:
    difference = sum(((one[name] - other[name]) ** 2).sum() for name in other)
    return float(np.sqrt(difference / sum((value**2).sum() for value in other.values())))


@pytest.mark.slow
@pytest.mark.parametrize(("length", "masked"), [(196, False), (64, True)])
def test_value_and_gradient_of_a_stack(length: int, masked: bool) -> None:
    """Of images and of texts; in bfloat16 no further from float32 than the plain stack is."""
    x, weights, mask = inputs(row_kernels.examples_per_program(length), length)
    mask = mask if masked else None

    def plain(stack, x):
        return run_layers(stack, x, PLAIN, mask)[0]

    def rows(stack, x):
        return row_stack.run_rows(stack, x, mask, slices=1, interpret=True)

    value, wanted = gradients(plain, "float32", x, weights)
    found_value, found = gradients(rows, "float32", x, weights)
    assert found_value == pytest.approx(value, rel=1e-6)
    assert distance(found, wanted) < 1e-6
    for name, each in wanted.items():
        assert np.linalg.norm(found[name] - each) <= 1e-5 * np.linalg.norm(each) + 1e-6, name
    narrow = gradients(plain, "bfloat16", x, weights)[1]
    assert distance(gradients(rows, "bfloat16", x, weights)[1], wanted) <= 1.05 * distance(
        narrow, wanted
    )


def test_slices_on_several_devices() -> None:
    """Two slices of four examples on each of two devices; the gradient is that of the whole batch."""
    (printed,) = finish(start([sys.executable, __file__], devices=2, processes=1))
    found = json.loads(printed)
    assert found["devices"] == 2
    assert found["values"][1] == pytest.approx(found["values"][0], rel=1e-6)
    assert found["distance"] < 1e-6


@pytest.mark.parametrize("masked", [False, True])
def test_kernels_at_a_length_whose_examples_share_registers(masked: bool, monkeypatch) -> None:
    """Examples of 12 tokens: windows begin and end inside a register, and are merged where they meet."""
    monkeypatch.setattr(row_kernels, "_ROWS", 1)
    length = 12
    batch = row_kernels.examples_per_program(length)
    assert batch == 4
    rng = np.random.default_rng(0)
    qkv = jnp.asarray(rng.normal(size=(batch * length, 3, HEADS, 64)), jnp.float32)
    bias = jnp.asarray(rng.normal(size=(1, HEADS * 64)), jnp.float32)
    weights = jnp.asarray(rng.normal(size=(batch * length, HEADS * 64)), jnp.float32)
    mask = jnp.arange(length) < jnp.asarray([12, 1, 5, 11])[:, None] if masked else None

    def plain(qkv, bias):
        parts = jnp.moveaxis(qkv.reshape(batch, length, 3, HEADS, 64), 2, 0)
        query = parts[0] + bias.reshape(HEADS, 64)
        return attend(query, parts[1], parts[2], mask).reshape(batch * length, -1)

    wanted, pull = jax.vjp(plain, qkv, bias)
    rows = row_kernels.ordered(qkv)
    flat = None if mask is None else mask.astype(jnp.float32).reshape(-1, 1)
    given = dict(length=length, interpret=True)
    found, sums = row_kernels.forward(rows, bias, flat, **given)
    np.testing.assert_allclose(found, wanted, atol=2e-6)
    by_qkv, by_bias = row_kernels.backward(rows, bias, flat, sums, weights, **given)
    expected = pull(weights)
    np.testing.assert_allclose(by_qkv, row_kernels.ordered(expected[0]), atol=1e-5)
    np.testing.assert_allclose(by_bias, expected[1], atol=2e-5)


@pytest.mark.parametrize(
    ("length", "examples"), [(196, 4), (64, 8), (256, 4), (197, 8), (12, 42), (512, 4)]
)
def test_rows_of_a_program(length: int, examples: int) -> None:
    assert row_kernels.examples_per_program(length) == examples
    assert examples * length % 8 == 0


def test_a_batch_that_programs_do_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="6 examples and a width of 128 do not fit kernels of 4"):
        row_kernels.forward(jnp.ones((6 * 196, 384)), jnp.ones((1, 128)), None, length=196)


def test_what_rows_cannot_do_is_named() -> None:
    x = jnp.zeros((8, 196, WIDTH), jnp.bfloat16)

    def reason(stack=None, x=x, slices=2, shards=1):
        return row_stack.obstacle(stack or layers("bfloat16"), x, slices, shards)

    assert reason() == ""
    for found, word in (
        (reason(layers(heads=4)), "not 4 of 32"),
        (reason(x=x[:, :195]), "length"),
        (reason(slices=3), "multiple of 12, not 8"),
        (reason(shards=8), "multiple of 64, not 8"),
        (reason(layers(layer_scale=0.1)), "layer scale"),
        (reason(layers(gated=True)), "gate"),
        (reason(layers(qkv_bias=False)), "biases"),
    ):
        assert word in found


@pytest.mark.parametrize(
    ("changes", "platform", "taken"),
    [
        ({}, "tpu", True),
        ({}, "gpu", False),
        ({}, "cpu", False),
        ({"attention": "einsum"}, "tpu", False),
        ({"remat": "none"}, "tpu", False),
        ({"dropout": 0.1}, "tpu", False),
        ({"every": True}, "tpu", False),
        ({"dtype": "float32"}, "tpu", False),
    ],
)
def test_rows_are_taken_on_tpus_where_layers_are_recomputed(
    changes, platform, taken, monkeypatch
) -> None:
    values = {"remat": "full", "unroll": 1, "slices": 2, "attention": "auto"} | changes
    dtype, rate = values.pop("dtype", "bfloat16"), values.pop("dropout", 0.0)
    every, calls = values.pop("every", False), []
    monkeypatch.setattr(
        row_stack, "run_rows", lambda layers, x, mask, *, slices: calls.append(slices) or x
    )
    keys = jax.random.split(jax.random.key(0), 8)
    x = jax.ShapeDtypeStruct((8, 196, WIDTH), dtype)
    mesh = make_mesh(devices=jax.devices()[:1])
    stack = layers(dtype, rate=rate)
    with jax.set_mesh(mesh), use_rules(get_rules("dp"), platform):
        options = types.SimpleNamespace(**values)
        jax.eval_shape(lambda x: run_layers(stack, x, options, keys=keys, every=every)[0], x)
    assert calls == ([2] if taken else [])


def main() -> None:
    """The test of several devices, whose number is fixed when a program starts."""
    row_kernels._ROWS = 1
    x, weights, mask = inputs(16, 12)

    def plain(stack, x):
        return run_layers(stack, x, PLAIN, mask)[0]

    def rows(stack, x):
        return row_stack.run_rows(stack, x, mask, slices=2, interpret=True)

    value, wanted = gradients(plain, "float32", x, weights)
    with jax.set_mesh(make_mesh()), use_rules(get_rules("dp"), "tpu"):
        found_value, found = gradients(rows, "float32", x, weights)
    result = {"devices": jax.device_count(), "distance": distance(found, wanted)}
    print(json.dumps(result | {"values": [value, found_value]}))


if __name__ == "__main__":
    main()
