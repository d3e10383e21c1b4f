# SPDX-License-Identifier: Apache-2.0
"""The examples in docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

import medst_jax

# Scripts define flags when they are imported, and some flags have the same name.
SCRIPTS = ("medst_jax.benchmarks.", "medst_jax.commands.")
MODULES = [
    module.name
    for module in pkgutil.walk_packages(medst_jax.__path__, "medst_jax.")
    if not module.ispkg and not module.name.startswith(SCRIPTS)
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
