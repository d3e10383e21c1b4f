# SPDX-License-Identifier: Apache-2.0
"""Training under SLURM against stand-ins of srun and scontrol: layouts, preemption, requeue."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys

import pytest
from etils import epath

from medst_jax.parallel.mesh import MeshError
from medst_jax.parallel.slurm import (
    check_started_by_srun,
    check_together,
    local_device_ids,
)
from medst_jax.train.checkpoint import complete_steps
from tests.parallel.together import ROOT

HERE = pathlib.Path(__file__).resolve().parent
FILES = ROOT / "launch" / "slurm"
HORIZON = 100_000


def environment(tasks: str, index: int, gpus: str | None, node: int = 0, **more: str):
    seen = {} if gpus is None else {"CUDA_VISIBLE_DEVICES": gpus}
    return {
        "SLURM_JOB_ID": "7",
        "SLURM_STEP_NODELIST": "node[01-03]",
        "SLURM_STEP_NUM_TASKS": "8",
        "SLURM_STEP_TASKS_PER_NODE": tasks,
        "SLURM_LOCALID": str(index),
        "SLURM_NODEID": str(node),
        **seen,
        **more,
    }


@pytest.mark.parametrize(
    ("tasks", "index", "node", "gpus", "expected"),
    [
        ("1(x3)", 0, 2, "0,1,2,3", [0, 1, 2, 3]),
        ("4(x3)", 2, 1, "0,1,2,3", [2]),
        ("4(x2),1", 0, 2, "0,1,2,3", [0, 1, 2, 3]),
        ("4(x2),1", 3, 1, "0,1,2,3", [3]),
        ("4", 3, 0, "2", [0]),  # --gpus-per-task=1: each task sees its own alone
        ("2", 1, 0, "GPU-5d1,GPU-7e2", [1]),
        ("1", 0, 0, "", None),
        ("3", 1, 0, "-1", None),
    ],
)
def test_the_gpus_of_a_task(tasks, index, node, gpus, expected):
    assert local_device_ids(environment(tasks, index, gpus, node)) == expected


def test_tasks_that_are_neither_one_nor_as_many_as_the_gpus_are_refused():
    with pytest.raises(MeshError, match=r"3 tasks .* 8 GPUs: .*--ntasks-per-node=8.*=1\)"):
        local_device_ids(environment("3", 1, "0,1,2,3,4,5,6,7"))


def test_tasks_without_the_flag_and_jobs_without_srun_are_refused():
    with pytest.raises(MeshError, match="8 tasks of this command; .* add --distributed"):
        check_together(environment("8", 0, "0"))
    check_together({"SLURM_JOB_ID": "7", "SLURM_NTASKS": "8"})  # a shell of salloc
    with pytest.raises(MeshError, match="job 7 but was not started by srun"):
        check_started_by_srun({"SLURM_JOB_ID": "7", "SLURM_NTASKS": "8"})
    check_started_by_srun(environment("8", 0, "0"))
    check_started_by_srun({})


@pytest.mark.parametrize("name", ["one_node.sbatch", "nodes.sbatch", "step.sh"])
def test_files_are_bash(name):
    done = subprocess.run(["bash", "-n", FILES / name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["one_node.sbatch", "nodes.sbatch"])
def test_batch_files_ask_for_the_signal_and_the_queue(name):
    """Two minutes before the end, to the tasks (no B:), in a job that may be requeued."""
    asked = {
        line.removeprefix("#SBATCH ").strip()
        for line in (FILES / name).read_text().splitlines()
        if line.startswith("#SBATCH")
    }
    assert {"--signal=TERM@120", "--requeue", "--open-mode=append"} <= asked


class Cluster:
    """A job of SLURM on this machine; its training is that of the toy system."""

    def __init__(self, folder: pathlib.Path, compiled: pathlib.Path):
        self.folder, self.compiled = folder, compiled
        programs = folder / "bin"
        programs.mkdir(parents=True)
        scripts = {
            "srun": f'exec {sys.executable} -S {HERE / "srun.py"} "$@"',
            "scontrol": f'echo "$@" >> {folder / "scontrol"}',
            # In place of launch/train.py --distributed.
            "python": f'shift 2; exec {sys.executable} {ROOT / "tests/train/toy.py"} "$@"',
        }
        for name, text in scripts.items():
            (programs / name).write_text(f"#!/bin/bash\n{text}\n")
            (programs / name).chmod(0o755)

    def submit(
        self, name: str, restarts: int = 0, steps: int = HORIZON, **step: int
    ) -> subprocess.CompletedProcess[str]:
        """Run a batch file once, as SLURM does when the job starts."""
        (self.folder / "step.json").write_text(json.dumps(step))
        spool = self.folder / "slurm_script"  # SLURM runs a copy elsewhere
        shutil.copy(FILES / name, spool)
        values = {
            "train__steps": steps,
            "train__log_every": 1,
            "train__checkpoint_every": HORIZON,
            "optimizer__horizon_steps": HORIZON,
            "pause": 0.02,
        }
        arguments = [f"{key}={json.dumps(value)}" for key, value in values.items()]
        return subprocess.run(
            ["bash", spool, self.folder / "run", *arguments],
            env={
                **os.environ,
                "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                "SLURM_STAND_IN": str(self.folder),
                "SLURM_SUBMIT_DIR": str(ROOT),
                "SLURM_JOB_ID": str(_job_with_a_free_port()),
                "SLURM_RESTART_COUNT": str(restarts),
                "JAX_PLATFORMS": "cpu",
                "JAX_NUM_CPU_DEVICES": "2",
                "JAX_COMPILATION_CACHE_DIR": str(self.compiled),
                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
                "OMP_NUM_THREADS": "1",
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def requeued(self) -> list[str]:
        file = self.folder / "scontrol"
        return file.read_text().splitlines() if file.exists() else []

    def summary(self) -> dict[str, object]:
        return json.loads((self.folder / "run" / "summary.json").read_text())


def _job_with_a_free_port() -> int:
    """JAX forms the coordinator's port from the job's number."""
    for job in range(os.getpid(), os.getpid() + 4096):
        with socket.socket() as probe:
            try:
                probe.bind(("localhost", job % 4096 + 61440))
            except OSError:
                continue
            return job
    raise AssertionError("no free port")


@pytest.mark.multiprocess
@pytest.mark.parametrize(
    ("name", "tasks"), [("nodes.sbatch", 2), ("one_node.sbatch", 1)], ids=["per_gpu", "per_node"]
)
def test_a_job_that_is_stopped_goes_on_bit_for_bit(name, tasks, compiled, tmp_path):
    whole, cut = (Cluster(tmp_path / part, compiled) for part in ("whole", "cut"))
    # It would go on for ever; where it ends is known once it is stopped.
    stopped = cut.submit(name, tasks=tasks, gpus=2, term_after=3)
    assert stopped.returncode == 75, stopped.stderr[-3000:]
    (call,) = cut.requeued()
    assert call.split()[0] == "requeue" and call.split()[1].isdigit()
    (step,) = complete_steps(epath.Path(tmp_path / "cut" / "run" / "checkpoints"))
    assert step >= 3
    # What srun is told: a task that has saved ends no other one.
    told = json.loads((tmp_path / "cut" / "srun.json").read_text())
    assert {"--kill-on-bad-exit=0", "--wait=0"} <= set(told)

    for cluster in (cut, whole):
        done = cluster.submit(name, steps=step + 4, tasks=tasks, gpus=2)
        assert done.returncode == 0, done.stderr[-3000:]
    assert len(cut.requeued()) == 1 and whole.requeued() == []
    for key in ("step", "state_checksum", "losses"):
        assert cut.summary()[key] == whole.summary()[key]
    assert cut.summary()["devices"] == 2 * tasks


@pytest.mark.multiprocess
def test_a_wrong_layout_ends_the_job(compiled, tmp_path):
    cluster = Cluster(tmp_path / "wrong", compiled)
    done = cluster.submit("nodes.sbatch", tasks=2, gpus=3)
    assert done.returncode == 1
    assert "2 tasks on this node, which has 3 GPUs" in done.stderr
    assert cluster.requeued() == []


@pytest.mark.parametrize(
    ("code", "restarts", "again"),
    [(0, 0, False), (1, 0, False), (75, 99, True), (137, 3, True), (143, 20, False)],
)
def test_which_codes_put_a_job_back(code, restarts, again, compiled, tmp_path):
    cluster = Cluster(tmp_path / "codes", compiled)
    (cluster.folder / "bin" / "srun").write_text(f"#!/bin/bash\nexit {code}\n")
    assert cluster.submit("one_node.sbatch", restarts=restarts).returncode == code
    assert bool(cluster.requeued()) == again
