# SPDX-License-Identifier: Apache-2.0
"""The examples in docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

import medst_jax

MODULES = [
    module.name
    for module in pkgutil.walk_packages(medst_jax.__path__, "medst_jax.")
    if not module.ispkg
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
