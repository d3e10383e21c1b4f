# SPDX-License-Identifier: Apache-2.0
"""All workers of all slices: copy the code, run scripts, read how they are."""

import pathlib
import tempfile
from collections.abc import Sequence

from medst_jax.commands.pod import scripts
from medst_jax.commands.pod.archive import archive_name, pack
from medst_jax.commands.pod.gcloud import CallError, Gcloud, Result
from medst_jax.commands.pod.program import check_program
from medst_jax.commands.pod.slice import Slice


def ssh(wanted: Slice, node: str, script: str, worker: str = "all") -> tuple[str, ...]:
    """Arguments of `gcloud` that run a script on workers of a node.

    A program that starts on one worker alone waits for the others for ever: `all` is the rule.
    """
    verb = ("compute", "tpus", "tpu-vm", "ssh", node)
    return (*verb, f"--worker={worker}", *wanted.place, "--quiet", f"--command={script}")


def everywhere(gcloud: Gcloud, wanted: Slice, script: str, check: bool = True) -> list[Result]:
    """Run a script on all workers of all slices, one slice after the other."""
    return [gcloud(*ssh(wanted, node, script), check=check) for node in wanted.nodes]


def install(gcloud: Gcloud, wanted: Slice, staging: str = "") -> None:
    """Copy this code to every worker and install it there, then stage the data."""
    with tempfile.TemporaryDirectory() as folder:
        archive = pathlib.Path(folder) / archive_name()
        if not gcloud.dry_run:
            pack(archive)
        for node in wanted.nodes:
            verb = ("compute", "tpus", "tpu-vm", "scp", str(archive))
            target = f"{node}:{archive.name}"
            gcloud(*verb, target, "--worker=all", *wanted.place, "--quiet")
    for script in (scripts.install(archive.name), staging, scripts.READY):
        if script:
            everywhere(gcloud, wanted, script)


def start(gcloud: Gcloud, wanted: Slice, program: Sequence[str], *, keep: bool = False) -> None:
    """Start a program on every worker, detached from the connection; see `scripts.start`.

    Raises:
      PodError: no program is given, or one that workers do not have.
    """
    check_program(program)
    everywhere(gcloud, wanted, scripts.start(program, keep=keep))


def statuses(gcloud: Gcloud, wanted: Slice) -> list[tuple[str, str, int | None]]:
    """(worker, state, exit code) of all workers.

    Raises:
      CallError: a slice did not answer.
    """
    by_node = [scripts.read_status(r.output) for r in everywhere(gcloud, wanted, scripts.STATUS)]
    if not all(by_node):
        raise CallError(f"no worker of a slice of {wanted.name} answered")
    return [one for of_node in by_node for one in of_node]


def tail(gcloud: Gcloud, wanted: Slice, worker: str, lines: int = 30) -> str:
    """The end of the log of the worker with that host name."""
    results = everywhere(gcloud, wanted, scripts.log_of(worker, lines), check=False)
    return "\n".join(result.output.strip() for result in results if result.output.strip())
