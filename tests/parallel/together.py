# SPDX-License-Identifier: Apache-2.0
"""Programs in several processes that train together on this machine."""

import os
import pathlib
import socket
import subprocess
from collections.abc import Mapping, Sequence

ROOT = pathlib.Path(__file__).resolve().parents[2]

Process = subprocess.Popen[str]


def start(
    command: Sequence[str | os.PathLike[str]],
    devices: int,
    processes: int,
    *,
    own: Sequence[Sequence[str]] = (),
    cwd: os.PathLike[str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> list[Process]:
    """Start `command` in so many processes of so many CPU devices each.

    own: further arguments of each process.
    """
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    started = []
    for index in range(processes):
        joined = {
            "JAX_COORDINATOR_ADDRESS": f"localhost:{port}",
            "JAX_NUM_PROCESSES": str(processes),
            "JAX_PROCESS_ID": str(index),
        }
        started.append(
            subprocess.Popen(
                [str(part) for part in (*command, *(own[index] if own else ()))],
                cwd=cwd,
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT),
                    "JAX_PLATFORMS": "cpu",
                    "JAX_NUM_CPU_DEVICES": str(devices),
                    "OMP_NUM_THREADS": "1",
                    **(joined if processes > 1 else {}),
                    **(environment or {}),
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    return started


def finish(processes: Sequence[Process], code: int = 0, seconds: float = 300) -> list[str]:
    """Wait for all, check their exit codes and return what each printed."""
    outputs = [process.communicate(timeout=seconds) for process in processes]
    codes = [process.returncode for process in processes]
    assert codes == [code] * len(codes), "\n".join(errors[-3000:] for _, errors in outputs)
    return [output for output, _ in outputs]
