# SPDX-License-Identifier: Apache-2.0
"""One device, eight, and two processes of four: same state, same examples, same losses."""

import json
import sys

import numpy as np
import pytest

from tests.parallel.together import ROOT, finish, start

PROGRAM = ROOT / "tests" / "parallel" / "layouts.py"
MANY = ["data", "fsdp", "tensor", "layers"]


def run(workdir, names, *, devices, processes):
    started = start([sys.executable, PROGRAM, workdir, *names], devices, processes)
    return json.loads(finish(started)[0].splitlines()[-1])


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return tmp_path_factory.mktemp("layouts")


@pytest.fixture(scope="module")
def one_process(workdir):
    return run(workdir, ["one", *MANY], devices=8, processes=1)


@pytest.fixture(scope="module")
def two_processes(workdir, one_process):
    return run(workdir, MANY, devices=4, processes=2)


@pytest.fixture(params=["one_process", "two_processes"])
def results(request):
    """Results of every mesh on one process of eight devices, or on two of four."""
    if request.param == "two_processes":
        request.applymarker(pytest.mark.multiprocess)
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("layout", MANY)
def test_losses_agree_with_one_device(one_process, results, layout):
    one, many = one_process["one"], results[layout]
    np.testing.assert_allclose(many["losses"][0], one["losses"][0], rtol=1e-6)
    np.testing.assert_allclose(many["losses"], one["losses"], rtol=1e-4)


@pytest.mark.parametrize("layout", MANY)
def test_first_gradient_agrees_with_one_device(one_process, results, layout):
    one, many = one_process["one"], results[layout]
    difference = np.subtract(many["gradient"], one["gradient"])
    assert np.linalg.norm(difference) <= 1e-5 * np.linalg.norm(one["gradient"])
    np.testing.assert_allclose(many["norms"][0], one["norms"][0], rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(many["gradient"]), many["norms"][0], rtol=1e-5)


@pytest.mark.parametrize("layout", MANY)
def test_examples_and_draws_are_the_same_exactly(one_process, results, layout):
    assert results[layout]["examples"] == list(range(20 * 16))
    assert results[layout]["draws"] == one_process["one"]["draws"]


@pytest.mark.parametrize("layout", MANY)
def test_state_of_one_layout_is_restored_bit_for_bit_on_another(results, layout):
    assert results[layout]["restored"]


@pytest.mark.multiprocess
def test_a_process_reads_the_rows_of_its_devices(two_processes):
    # Process 0 reports; where a mesh cuts layers alone, both processes read everything.
    half, everything = list(range(8)), list(range(16))
    rows = {name: result["rows"] for name, result in two_processes.items()}
    assert rows == {"data": half, "fsdp": half, "tensor": half, "layers": everything}


def test_parameters_moments_and_average_are_kept_in_parts(one_process, two_processes):
    # Over the batch axes too, where the rules do not use them; gathered as the rules say.
    kept = {"data": [2, 16], "fsdp": [2, 16], "tensor": [4, 8], "layers": [16, 2]}
    used = {"data": [16, 16], "fsdp": [4, 16], "tensor": [8, 8], "layers": [16, 2]}
    for results in (one_process, two_processes):
        for name in MANY:
            assert results[name]["shards"] == {
                **dict.fromkeys(("params", "moments", "average"), kept[name]),
                "gathered": used[name],
            }
    assert set(map(tuple, one_process["one"]["shards"].values())) == {(16, 16)}


@pytest.mark.parametrize("layout", MANY)
def test_averages_agree_with_one_device(one_process, results, layout):
    one, many = one_process["one"]["average"], results[layout]["average"]
    np.testing.assert_allclose(many, one, rtol=1e-4, atol=1e-4)


def test_table_lists_path_shape_axes_and_partition(one_process):
    lines = one_process["fsdp"]["table"].splitlines()
    assert len(lines) == 6
    assert any(
        line.split()[0] == "first/kernel"
        and "('embed', 'mlp')" in line
        and line.endswith("P('fsdp', None)  kept as P(('fsdp', 'data'), None)")
        for line in lines
    ), lines
