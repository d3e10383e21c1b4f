# SPDX-License-Identifier: Apache-2.0
"""Joining the processes of a run, and which rows of a batch each of them holds."""

import itertools
import logging
import os
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from medst_jax.parallel import slurm
from medst_jax.parallel.mesh import MeshError, batch_shards, check_batch_size

_LOG = logging.getLogger(__name__)

# Read where no argument is given; the first is JAX's own name.
COORDINATOR, PROCESSES, PROCESS = "JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"

# A barrier's name must be new; all processes count alike.
_BARRIERS = itertools.count()

_TOGETHER = (
    "coordinator address, number of processes and process index go together (flags --coordinator, "
    f"--num_processes, --process_id, or the environment's {COORDINATOR}, {PROCESSES}, {PROCESS}); "
    "on TPU pods and under SLURM's srun leave all three out"
)


def join_processes(
    coordinator: str | None = None,
    processes: int | None = None,
    process: int | None = None,
    *,
    timeout_seconds: int = 600,
) -> None:
    """Connect this process to the others of the run; call before anything else of JAX.

    Without arguments and environment, as on TPU pods, JAX asks the machine. So it does in a step of
    SLURM, where a task takes all GPUs of its node or the one that is its own.

    Args:
      coordinator: "host:port" of process 0.
      processes: how many there are.
      process: index of this one.
      timeout_seconds: how long to wait for the others.

    Raises:
      MeshError: some but not all three are known, the numbers make no sense, or SLURM's tasks do
        not fit the GPUs.
    """
    environment = os.environ
    coordinator = coordinator or environment.get(COORDINATOR) or None
    processes = _number(PROCESSES) if processes is None else processes
    process = _number(PROCESS) if process is None else process
    given: dict[str, Any] = {
        "coordinator_address": coordinator,
        "num_processes": processes,
        "process_id": process,
    }
    missing = [name for name, value in given.items() if value is None]
    if 0 < len(missing) < len(given):
        raise MeshError(f"{', '.join(missing)} not given: {_TOGETHER}")
    if processes is not None and process is not None and not 0 <= process < processes:
        raise MeshError(f"process {process} of {processes} does not exist: they count from 0")
    if coordinator is not None and not coordinator.rpartition(":")[2].isdigit():
        raise MeshError(f"coordinator {coordinator!r} has no port; give host:port of process 0")
    if missing:
        slurm.check_started_by_srun()
        given = {"local_device_ids": slurm.local_device_ids()} if slurm.in_step() else {}
    else:
        # With all known, nothing is left to detect: another cluster's variables may be about.
        given["cluster_detection_method"] = "deactivate"
    # A process that waits in vain is aborted by the library; this line is then the one to read.
    _LOG.info(
        "joining the other processes of the run, for up to %d s%s",
        timeout_seconds,
        "" if missing else f": process {process} of {processes} at {coordinator}",
    )
    jax.distributed.initialize(**given, initialization_timeout=timeout_seconds)


def local_shards(mesh: Mesh) -> np.ndarray:
    """Which of the batch's shards lie on devices of this process, ascending, int64 [n].

    Processes that only hold parts of layers (`tensor`) of the same examples share shards.
    """
    by_shard = mesh.devices.reshape(batch_shards(mesh), -1)
    here = jax.process_index()
    return np.flatnonzero([any(device.process_index == here for device in row) for row in by_shard])


def local_rows(batch_size: int, mesh: Mesh) -> np.ndarray:
    """Rows of a global batch that this process reads: those its devices hold, ascending.

    A mesh may deal devices out so that a process' rows are not adjacent. Rows follow devices, so
    that row r of the global batch is the same example on every layout.

    Raises:
      MeshError: the mesh does not divide the batch.
    """
    check_batch_size(batch_size, mesh)
    size = batch_size // batch_shards(mesh)
    return (local_shards(mesh)[:, None] * size + np.arange(size)).reshape(-1)


def barrier(name: str, seconds: int = 1800) -> None:
    """Return when every process of the run has come here.

    Processes start collectives together only as long as none is far behind (compiling, opening
    files): the CPU's library waits 30 seconds for its peers.
    """
    if jax.process_count() > 1:
        from orbax.checkpoint import multihost

        multihost.get_barrier_sync_fn()(key=f"{name} {next(_BARRIERS)}", timeout_ms=seconds * 1000)


def check_all_processes(error: Exception | None) -> None:
    """Stop every process of the run where one of them cannot start; collective.

    Raises:
      the error itself where it happened, and a MeshError on the processes that were well.
    """
    failed = [error is not None]
    if jax.process_count() > 1:
        barrier("start")
        failed = multihost_utils.process_allgather(np.array(failed)).reshape(-1).tolist()
    if error is not None:
        raise error
    if any(failed):
        which = ", ".join(str(k) for k, bad in enumerate(failed) if bad)
        raise MeshError(f"process {which} could not start; its own log says why")


def _number(variable: str) -> int | None:
    text = os.environ.get(variable, "")
    if not text:
        return None
    if not text.isdigit():
        raise MeshError(f"{variable} is {text!r}; it must be a number")
    return int(text)
