# SPDX-License-Identifier: Apache-2.0
"""Second names of modules are the same objects, and paths of the first edition still import."""

import importlib

import pytest

from medst_jax.aliases import MOVED


@pytest.mark.parametrize(
    "name", ["configs.dlilp", "configs.evaluate.smoke", "data_pipelines.build"]
)
def test_folders_of_a_clone_are_the_package(name):
    assert importlib.import_module(name) is importlib.import_module(f"medst_jax.{name}")


@pytest.mark.parametrize("name", sorted(MOVED))
def test_a_moved_module_is_found_with_a_warning(name):
    with pytest.warns(DeprecationWarning, match=f"is now {MOVED[name]}"):
        module = importlib.import_module(name)
    assert module is importlib.import_module(MOVED[name])
    assert module.__spec__.name == MOVED[name]
