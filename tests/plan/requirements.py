# SPDX-License-Identifier: Apache-2.0
"""What a test of the planner needs beyond the core set."""

import importlib.util

import pytest

from medst_jax.plan.compiler_version import plugin_mismatch
from medst_jax.plan.gpu_topology import missing_parts

needs_libtpu = pytest.mark.skipif(
    importlib.util.find_spec("libtpu") is None,
    reason="the TPU compiler is not installed: pip install 'medst_jax[plan]'",
)
_MISSING = [*missing_parts(), *filter(None, [plugin_mismatch()])]
needs_gpu_compiler = pytest.mark.skipif(
    bool(_MISSING),
    reason=f"the compiler for GPUs is not installed ({', '.join(_MISSING)}): "
    "pip install 'medst_jax[plan-gpu]'",
)
