# SPDX-License-Identifier: Apache-2.0
"""One device and eight: same state, same examples, same losses within rounding."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

HERE = pathlib.Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    finished = subprocess.run(
        [sys.executable, str(HERE / "layouts.py"), str(tmp_path_factory.mktemp("layouts"))],
        env={
            **os.environ,
            "PYTHONPATH": str(HERE.parent.parent),
            "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
        },
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout.splitlines()[-1])


@pytest.mark.parametrize("layout", ["data", "fsdp", "tensor"])
def test_losses_agree_with_one_device(results, layout):
    one, many = results["one"], results[layout]
    np.testing.assert_allclose(many["losses"][0], one["losses"][0], rtol=1e-6)
    np.testing.assert_allclose(many["norms"][0], one["norms"][0], rtol=1e-5)
    np.testing.assert_allclose(many["losses"], one["losses"], rtol=1e-4)


@pytest.mark.parametrize("layout", ["one", "data", "fsdp", "tensor"])
def test_state_of_one_layout_is_restored_bit_for_bit_on_another(results, layout):
    assert results[layout]["restored"]


def test_parameters_and_moments_are_cut(results):
    shards = {name: result["shards"] for name, result in results.items()}
    assert shards["one"] == {"params": [16, 16], "moments": [16, 16]}
    assert shards["data"] == {"params": [16, 16], "moments": [16, 16]}
    assert shards["fsdp"] == {"params": [4, 16], "moments": [4, 16]}
    assert shards["tensor"] == {"params": [8, 8], "moments": [8, 8]}


def test_table_lists_path_shape_axes_and_partition(results):
    lines = results["fsdp"]["table"].splitlines()
    assert len(lines) == 6
    assert any(
        line.split()[0] == "first/kernel"
        and "('embed', 'mlp')" in line
        and line.endswith("P('fsdp', None)")
        for line in lines
    ), lines
