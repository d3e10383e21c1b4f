# SPDX-License-Identifier: Apache-2.0
"""launch/train.py on one device, on eight, and in two processes of four: same run, same losses."""

import json
import sys

import jax
import numpy as np
import pytest
from orbax.checkpoint import v1 as ocp

from medst_jax.train.scalars import read_log
from tests.launch.test_chain import command
from tests.parallel.together import ROOT, finish, start

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]
# Twenty steps are compared on a system without kinks (GELU, layer norm). A convolutional net's
# gradient jumps by up to 0.5% when a ReLU in front of a flat part of an image changes sides, and in
# twenty steps of a million units some are within rounding of doing so, on any layout and at any
# learning rate: two runs on one device that start 1e-7 apart end up to 1e-2 apart. Such a net, with
# batch norm across devices, is compared in its first step.
SMOOTH, KINKED = "siglip_b16", "dlilp"
SGD = {
    "name": "sgd",
    "weight_decay": 0.0,
    "clip_norm": 0.0,
    "warmup_steps": 0,
    "schedule": "constant",
    "horizon_steps": 20,
}
LAYOUTS = {"one": (1, 1), "eight": (8, 1), "two": (4, 2)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A cohort, and on each layout a step with kinks and twenty without, resumed after one."""
    path = tmp_path_factory.mktemp("processes")
    prepare = ("prepare.py", "--data_dir=data")
    command(*prepare, "--dataset=simulated_cxr", "--patients=60", "--size=64", cwd=path)
    command(
        *prepare,
        "--vocabulary=simulated_cxr",
        "--datasets=simulated_cxr_m,simulated_cxr_c",
        "--vocabulary_size=400",
        cwd=path,
    )
    for name in LAYOUTS:
        finish(train(path, name, 1, config=KINKED), seconds=1200)
        for steps in (1, 20):
            finish(train(path, name, steps), seconds=1200)
    return path


def words(layout, steps, config=SMOOTH):
    """The command that trains, without the number of processes."""
    settings = {f"optimizer.{key}": value for key, value in SGD.items()}
    settings |= {
        "data.data_dir": "data",
        "train.steps": steps,
        "train.log_every": 1,
        "train.keep": 9,
        "train.compilation_cache": "cache",
    }
    return [
        "train.py",
        f"--config={ROOT}/configs/{config}.py:tiny",
        f"--workdir=runs/{config}-{layout}",
        *(f"--config.{key}={value}" for key, value in settings.items()),
    ]


def train(path, name, steps, own=(), config=SMOOTH):
    devices, processes = LAYOUTS[name]
    script, *flags = words(name, steps, config)
    together = ["--distributed"] if processes > 1 else []
    call = [sys.executable, ROOT / "launch" / script, *flags, *together]
    return start(call, devices, processes, own=own, cwd=path)


def losses(path, name, config=SMOOTH):
    return [line["loss"] for line in read_log(path / "runs" / f"{config}-{name}")]


def first_gradient(path, name, config):
    """The momentum after one step, by parameter path."""
    folder = path / "runs" / f"{config}-{name}" / "checkpoints" / "1"
    stored = ocp.checkpointables_metadata(folder).metadata["optimizer"]
    device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    wanted = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=device), stored
    )
    state = ocp.load_checkpointables(folder, {"optimizer": wanted})["optimizer"]["opt_state"]
    leaves = jax.tree_util.tree_flatten_with_path(state)[0]
    moments = {jax.tree_util.keystr(k): v for k, v in leaves if "trace" in jax.tree_util.keystr(k)}
    return np.concatenate([np.asarray(moments[k], np.float64).reshape(-1) for k in sorted(moments)])


@pytest.mark.parametrize("name", ["eight", "two"])
def test_losses_of_twenty_steps_agree(folder, name):
    one, many = losses(folder, "one"), losses(folder, name)
    assert len(one) == len(many) == 20
    assert min(one) < 0.95 * one[0]
    np.testing.assert_allclose(many, one, rtol=1e-4)


@pytest.mark.parametrize("config", [SMOOTH, KINKED])
@pytest.mark.parametrize("name", ["eight", "two"])
def test_first_loss_and_gradient_agree(folder, name, config):
    np.testing.assert_allclose(
        losses(folder, name, config)[0], losses(folder, "one", config)[0], rtol=1e-6
    )
    gradient = first_gradient(folder, "one", config)
    difference = np.linalg.norm(first_gradient(folder, name, config) - gradient)
    assert difference <= 1e-5 * np.linalg.norm(gradient)


def test_a_finished_run_is_restored_bit_for_bit_on_another_layout(folder):
    file = folder / "runs" / f"{SMOOTH}-two" / "summary.json"
    before = json.loads(file.read_text())
    command(*words("two", 20), cwd=folder)
    after = json.loads(file.read_text())
    assert (before["devices"], after["devices"]) == (8, 1)
    assert after["state_checksum"] == before["state_checksum"]


def test_data_missing_for_one_process_ends_both(folder):
    own = [[], ["--config.data.data_dir=elsewhere"]]
    processes = train(folder, "two", 20, own=own)
    errors = [process.communicate(timeout=600)[1] for process in processes]
    assert [process.returncode for process in processes] == [1, 1], errors
    assert "process 1 could not start" in errors[0] and "prepare.py" in errors[1]


def test_flags_of_several_processes_go_together(folder):
    (process,) = start(
        [
            *(sys.executable, ROOT / "launch" / "train.py"),
            f"--config={ROOT}/configs/dlilp.py:tiny",
            *("--workdir=runs/none", "--distributed", "--num_processes=2"),
        ],
        1,
        1,
        cwd=folder,
    )
    errors = process.communicate(timeout=300)[1]
    assert process.returncode == 1 and "coordinator_address, process_id not given" in errors
