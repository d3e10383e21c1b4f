# SPDX-License-Identifier: Apache-2.0
"""Which collectives each sharding table costs a scanned transformer: golden counts, TPU and GPU.

UPDATE_GOLDEN=1 rewrites the file. Bytes and fusions change with the compiler, counts and kinds
only with what is sharded how.
"""

import functools
import json
import os
import pathlib
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from medst_jax.models.layers.pre_norm import PreNormLayer
from medst_jax.models.layers.stack import scan_layers, stack_layers
from medst_jax.parallel import (
    RULES,
    batch_sharding,
    get_rules,
    make_mesh,
    param_shardings,
    state_shardings,
    use_rules,
    variables_by_path,
)
from medst_jax.plan.collectives import collectives, summary
from medst_jax.plan.gpu_topology import COMPILER_OPTIONS
from medst_jax.plan.hlo import parse_module
from medst_jax.plan.topology import describe
from tests.plan.requirements import needs_gpu_compiler, needs_libtpu

FILE = pathlib.Path(__file__).resolve().parent / "data" / "collectives.json"
MESHES = {"dp": (4, 1, 1), "fsdp": (1, 4, 1), "fsdp_tp": (1, 2, 2)}


def _make(rngs: nnx.Rngs) -> PreNormLayer:
    return PreNormLayer(
        256,
        2,
        512,
        activation="gelu_tanh",
        rate=0.0,
        epsilon=1e-6,
        kernel_init=nnx.initializers.normal(0.02),
        dtype="bfloat16",
        rngs=rngs,
    )


@functools.cache  # compiled twice, a compiler would be asked to read a cached program, and cannot
def _compile(rules: str, slices: int, topology: str = "v5e:2x2") -> str:
    """Gradients of three layers, sliced and recomputed, 16 rows per chip; kept in parts."""
    mesh = make_mesh(*MESHES[rules], devices=describe(topology).devices)
    graphdef, state = nnx.split(nnx.eval_shape(lambda: stack_layers(_make, 3, nnx.Rngs(0))))
    used, kept = param_shardings(state, mesh, rules), state_shardings(state, mesh, rules)
    parameters = {
        path: jax.ShapeDtypeStruct(v.get_value().shape, jnp.float32, sharding=kept[path])
        for path, v in variables_by_path(state).items()
    }
    paths = [(path, "/".join(map(str, path))) for path, _ in nnx.to_flat_state(state)]

    def loss(parameters, x):
        layers = nnx.merge(
            graphdef, nnx.from_flat_state([(path, parameters[name]) for path, name in paths])
        )
        y, _ = scan_layers(
            layers, lambda layer, index, x, rows: layer(x), x, remat="full", slices=slices
        )
        return jnp.sum(y.astype(jnp.float32) ** 2)

    rows = jax.ShapeDtypeStruct((64, 128, 256), jnp.bfloat16, sharding=batch_sharding(mesh))

    def gradients(parameters, x):
        whole = {p: jax.lax.with_sharding_constraint(v, used[p]) for p, v in parameters.items()}
        return jax.grad(loss)(whole, x)

    step = jax.jit(gradients, out_shardings=kept)
    with jax.set_mesh(mesh), use_rules(get_rules(rules)):
        lowered = step.lower(parameters, rows)
    options = dict(COMPILER_OPTIONS) if topology.startswith("h100") else None
    return lowered.compile(compiler_options=options).as_text()


def _check(key: str, module: str, nodes: Sequence[int] | None = None) -> None:
    found = summary(collectives(parse_module(module), 4, nodes=nodes))
    got = {f"{one['kind']} {one['network']}": one["count"] for one in found}
    golden = json.loads(FILE.read_text()) if FILE.exists() else {}
    if os.environ.get("UPDATE_GOLDEN"):
        golden[key] = got
        FILE.write_text(json.dumps(golden, indent=1) + "\n")
    assert got == golden[key], f"{FILE} differs; UPDATE_GOLDEN=1 accepts the change"


@needs_libtpu
@pytest.mark.slow
@pytest.mark.parametrize("rules", RULES)
def test_collective_counts(rules):
    _check(rules, _compile(rules, 2))


@needs_gpu_compiler
@pytest.mark.slow
@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("topology", ["h100:4", "h100:2x2"])
def test_collective_counts_of_gpus(rules, topology):
    nodes = [device.process_index for device in describe(topology).devices]
    _check(f"{rules} {topology}", _compile(rules, 2, topology), nodes)


@needs_libtpu
@pytest.mark.slow
def test_slices_do_not_multiply_what_gradients_cost():
    """The gradient of cut parameters is summed over the slices first, and exchanged then."""
    two, eight = (
        sum(
            one["bytes"]
            for one in summary(collectives(parse_module(_compile("fsdp", slices)), 4))
            if one["kind"] != "all-gather"
        )
        for slices in (2, 8)
    )
    # Biases, and the attention's last kernel, of whose gradient there are two parts, go by slice.
    assert eight < 2 * two
