# SPDX-License-Identifier: Apache-2.0
"""Sharding rules: golden partitions, and errors that name the parameter."""

import jax.numpy as jnp
import pytest
from flax import nnx
from jax.sharding import PartitionSpec as P

from medst_jax.parallel import RULES, MeshError, get_rules
from medst_jax.parallel.rules import partition_spec
from medst_jax.parallel.sharding import variables_by_path

SIZES = {"data": 2, "fsdp": 4, "tensor": 2}

GOLDEN = {
    # logical axes, shape: dp, fsdp, fsdp_tp
    (("embed", "mlp"), (8, 16)): (P(None, None), P("fsdp", None), P("fsdp", "tensor")),
    (("mlp", "embed"), (16, 8)): (P(None, None), P(None, "fsdp"), P("tensor", "fsdp")),
    (("embed", "embed"), (8, 8)): (P(None, None), P("fsdp", None), P("fsdp", None)),
    (("layers", "embed", "heads"), (3, 8, 4)): (
        P(None, None, None),
        P(None, "fsdp", None),
        P(None, "fsdp", "tensor"),
    ),
    (("vocab", "embed"), (101, 8)): (P(None, None), P(None, "fsdp"), P(None, "fsdp")),
    ((None, None, "conv_in", "conv_out"), (3, 3, 1, 8)): (
        P(None, None, None, None),
        P(None, None, None, "fsdp"),
        P(None, None, None, "fsdp"),
    ),
    (("batch", "length", "embed"), (16, 5, 8)): (
        P(("data", "fsdp"), None, None),
        P(("data", "fsdp"), None, None),
        P(("data", "fsdp"), None, None),
    ),
    ((), ()): (P(), P(), P()),
}


@pytest.mark.parametrize(("case", "expected"), GOLDEN.items())
def test_golden_partitions(case, expected):
    names, shape = case
    got = tuple(partition_spec(names, shape, SIZES, rules, "x") for rules in RULES.values())
    assert got == expected


def test_axes_of_size_one_are_left_out():
    one = {"data": 1, "fsdp": 1, "tensor": 1}
    assert partition_spec(("batch", "embed"), (7, 5), one, RULES["fsdp_tp"], "x") == P(None, None)


@pytest.mark.parametrize(
    ("names", "shape", "message"),
    [
        (("embde",), (8,), "parameter a/b has the axis 'embde'"),
        (("embed",), (8, 8), r"a/b has shape \(8, 8\) and axes \('embed',\)"),
        (("embed", "mlp"), (6, 8), "a/b: dimension 'embed' of size 6 .* by the 4 shards"),
    ],
)
def test_errors_name_the_parameter(names, shape, message):
    with pytest.raises(MeshError, match=message):
        partition_spec(names, shape, SIZES, RULES["fsdp"], "parameter a/b")


def test_unknown_table():
    with pytest.raises(MeshError, match="config.rules is 'ddp'; known tables: dp, fsdp, fsdp_tp"):
        get_rules("ddp")


def test_variables_by_path_are_sorted():
    state = nnx.State({"b": {"0": nnx.Param(jnp.zeros(1))}, "a": nnx.Param(jnp.zeros(2))})
    assert list(variables_by_path(state)) == ["a", "b/0"]
