# SPDX-License-Identifier: Apache-2.0
"""Where parameters are kept between steps: cut over the batch axes that their rules leave free."""

import jax
import numpy as np
import optax
import pytest
from jax.sharding import AbstractMesh, AxisType
from jax.sharding import PartitionSpec as P

from medst_jax import systems
from medst_jax.parallel import AXES, RULES, make_mesh, param_shardings, state_shardings
from medst_jax.parallel.state_sharding import SMALLEST, state_spec
from medst_jax.train.state import abstract_state, abstract_system, split

SYSTEM = dict(
    image=dict(name="vit_small", width=256, depth=2, heads=4, patch=16),
    text=dict(name="transformer_small", width=256, depth=2, heads=4),
    preprocess=dict(size=32, mean=0.5, std=0.25, channels=1),
    joint=256,
    vocabulary_size=500,
)


@pytest.fixture(scope="module")
def system():
    return abstract_system(lambda: systems.build("clip", **SYSTEM))


def _mesh(*sizes: int) -> AbstractMesh:
    return AbstractMesh(sizes, AXES, axis_types=(AxisType.Auto,) * 3)


@pytest.mark.parametrize(
    ("names", "shape", "kept"),
    [
        # Neither cut needs padding: the first dimension.
        (("embed", "mlp"), (512, 2048), P("data", None)),
        # Four rows would be stored as eight; 512 numbers fill four tiles.
        (("joint", "mlp"), (32, 4096), P(None, "data")),
        # 96 numbers would be stored as 128; 96 rows are twelve tiles.
        (("mlp", "embed"), (768, 768), P("data", None)),
        (("layers", "embed", "mlp"), (16, 512, 512), P(None, "data", None)),
        (("vocab", "embed"), (32_000, 768), P(None, "data")),
        ((None, None, "conv_in", "conv_out"), (16, 16, 3, 768), P(None, None, None, "data")),
        # No dimension is divisible by 8.
        (("embed", "mlp"), (500, 500), P(None, None)),
        (("embed",), (SMALLEST // 2,), P(None)),
        ((), (), P()),
    ],
)
def test_partitions_over_eight_replicas(names, shape, kept):
    used = P(*(None,) * len(shape))
    assert state_spec(names, shape, used, {"data": 8, "fsdp": 1, "tensor": 1}) == kept


def test_axes_that_cut_a_parameter_already_are_not_used_again():
    names, shape, sizes = ("embed", "mlp"), (512, 512), {"data": 2, "fsdp": 4, "tensor": 2}
    assert state_spec(names, shape, P("fsdp", None), sizes) == P(("fsdp", "data"), None)
    assert state_spec(names, shape, P(None, "tensor"), sizes) == P(("data", "fsdp"), "tensor")
    assert state_spec(names, shape, P(("data", "fsdp"), None), sizes) == P(("data", "fsdp"), None)


@pytest.mark.parametrize("rules", RULES)
def test_one_device_keeps_everything_whole(system, rules):
    mesh, parameters = make_mesh(devices=jax.devices()[:1]), split(system)[1]
    assert state_shardings(parameters, mesh, rules) == param_shardings(parameters, mesh, rules)


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("sizes", [(8, 1, 1), (2, 4, 1), (2, 2, 2)])
def test_moments_and_average_are_kept_with_their_parameters(system, rules, sizes):
    mesh = _mesh(*sizes)
    state = abstract_state(system, optax.adamw(1e-3), mesh, rules, ema=0.9)
    kept = state_shardings(split(system)[1], mesh, rules)
    moments = state.opt_state[0]
    for arrays in (state.params, moments.mu, moments.nu, state.ema):
        assert {path: leaf.sharding for path, leaf in arrays.items()} == kept
    assert state.opt_state[0].count.sharding.spec == state.step.sharding.spec == P()
    shards = int(np.prod(sizes[:2]))
    for path, leaf in state.params.items():
        if leaf.size >= SMALLEST:
            assert np.prod(leaf.sharding.shard_shape(leaf.shape)) * shards <= leaf.size, path
