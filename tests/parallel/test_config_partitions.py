# SPDX-License-Identifier: Apache-2.0
"""Every experiment's parameters, at their full size, can be cut under every table."""

import importlib
import pathlib

import pytest
from flax import nnx
from jax.sharding import AbstractMesh, AxisType

from medst_jax import systems
from medst_jax.parallel import RULES, param_shardings
from medst_jax.systems.parts.query_texts import assumed_values
from medst_jax.train.state import abstract_system

CONFIGS = pathlib.Path(__file__).resolve().parents[2] / "configs"
NAMES = sorted(f.stem for f in CONFIGS.glob("*.py") if "def get_config" in f.read_text())


@pytest.mark.parametrize("name", NAMES)
def test_full_size_parameters_are_cut(name):
    options = importlib.import_module(f"medst_jax.configs.{name}").get_config().system.to_dict()
    options |= dict(labels=("a", "b", "c"), vocabulary_size=30_522, seed=0)
    options |= assumed_values(systems.system_class(options["name"]).Options)
    system = abstract_system(lambda: systems.build(options.pop("name"), **options))
    parameters = nnx.split(system, nnx.Param, ...)[1]
    mesh = AbstractMesh((2, 4, 2), ("data", "fsdp", "tensor"), axis_types=(AxisType.Auto,) * 3)
    for rules in RULES:
        shardings = param_shardings(parameters, mesh, rules)
        assert len(shardings) == len(nnx.to_flat_state(parameters)), rules
