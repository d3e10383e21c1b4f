# SPDX-License-Identifier: Apache-2.0
"""What a test of the planner needs beyond the core set."""

import importlib.util

import pytest

needs_libtpu = pytest.mark.skipif(
    importlib.util.find_spec("libtpu") is None,
    reason="the TPU compiler is not installed: pip install 'medst_jax[plan]'",
)
