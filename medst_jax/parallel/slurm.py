# SPDX-License-Identifier: Apache-2.0
"""What SLURM tells a task: how many share its node and its GPUs, and which of these are its own.

JAX's own detection finds the coordinator, the number of tasks and this one's index. It then gives
a task the GPU of its local index: right with one task per GPU, one GPU of eight with one task per
node, and a GPU that the task cannot see where each sees its own alone.
"""

import os
import pathlib
import re
from collections.abc import Mapping

from medst_jax.parallel.mesh import MeshError

_STEP = "SLURM_STEP_NODELIST"


def in_step(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether `srun` started this process, in a job step of its own."""
    return "SLURM_JOB_ID" in environment and _STEP in environment


def tasks(environment: Mapping[str, str] = os.environ) -> int:
    """Tasks of this process' step; 1 outside of one."""
    return int(environment.get("SLURM_STEP_NUM_TASKS", "1")) if in_step(environment) else 1


def check_started_by_srun(environment: Mapping[str, str] = os.environ) -> None:
    """Raise a MeshError in a job of SLURM whose tasks were not started."""
    if "SLURM_JOB_ID" in environment and not in_step(environment):
        raise MeshError(
            f"this process runs in SLURM's job {environment['SLURM_JOB_ID']} but was not started by "
            "srun: put `srun` before the command, as launch/slurm/step.sh does, or leave out "
            "--distributed"
        )


def check_together(environment: Mapping[str, str] = os.environ) -> None:
    """Raise a MeshError where several tasks would each train alone, in one workdir."""
    if tasks(environment) > 1:
        raise MeshError(
            f"srun started {tasks(environment)} tasks of this command; without --distributed each "
            "trains alone and writes into the same workdir: add --distributed, or start one task"
        )


def local_device_ids(environment: Mapping[str, str] = os.environ) -> list[int] | None:
    """Which of the GPUs that this task sees are its own; None where none are seen.

    Raises:
      MeshError: the tasks of the node are neither one nor as many as its GPUs; names both numbers.
    """
    visible = _visible(environment)
    if visible is None:
        return None
    here, index = _tasks_of_node(environment), int(environment["SLURM_LOCALID"])
    if here == 1:
        return list(range(visible))
    if visible == 1:  # bound by --gpus-per-task or --gpu-bind: each task counts its own from 0
        return [0]
    if here == visible:
        return [index]
    raise MeshError(
        f"SLURM runs {here} tasks on this node, which has {visible} GPUs: take one task per GPU "
        f"(--ntasks-per-node={visible}) or one task for all of them (--ntasks-per-node=1)"
    )


def _tasks_of_node(environment: Mapping[str, str]) -> int:
    """SLURM_STEP_TASKS_PER_NODE lists the nodes' numbers: "8(x2),4"."""
    counts: list[int] = []
    for count, times in re.findall(
        r"(\d+)(?:\(x(\d+)\))?", environment.get("SLURM_STEP_TASKS_PER_NODE", "1")
    ):
        counts += [int(count)] * int(times or 1)
    return counts[min(int(environment.get("SLURM_NODEID", "0")), len(counts) - 1)]


def _visible(environment: Mapping[str, str]) -> int | None:
    """GPUs that this process sees; None for none."""
    listed = environment.get("CUDA_VISIBLE_DEVICES")
    if listed is not None:
        gpus = len([device for device in listed.split(",") if device.strip() not in ("", "-1")])
    else:
        # Clusters that give out whole nodes may set nothing.
        gpus = len(list(pathlib.Path("/dev").glob("nvidia[0-9]*")))
    return gpus or None
