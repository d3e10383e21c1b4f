# SPDX-License-Identifier: Apache-2.0
"""Keep a run going: create, install, stage, start; begin again after a preemption."""

import dataclasses
import time
from collections.abc import Callable, Sequence

from medst_jax.command_line import user_command
from medst_jax.commands.pod import queued, workers
from medst_jax.commands.pod.gcloud import CallError, Gcloud
from medst_jax.commands.pod.scripts import STOP
from medst_jax.commands.pod.slice import PodError, Slice

# Ends after which the same command goes on from the last checkpoint: saved after SIGTERM, killed
# by SIGTERM before it could, killed by SIGKILL, aborted because another worker had gone.
RESTART_CODES = (75, 143, 137, 134)
_PATIENCE = 5  # failed calls in a row, before that is an error


@dataclasses.dataclass(frozen=True)
class Job:
    """What to keep running.

    Attributes:
      program: the words of the program.
      staging: script that brings the data to a worker, "" for none.
      max_restarts: how often the run may begin again, over preemptions and exit codes.
      poll: seconds between two looks.
    """

    program: Sequence[str]
    staging: str = ""
    max_restarts: int = 100
    poll: float = 30.0


class Watch:
    """One watched job on its slices.

    Args:
      gcloud: how calls are made.
      wanted: the slices.
      job: what runs on them.
      say: receives one line for each event.
    """

    def __init__(self, gcloud: Gcloud, wanted: Slice, job: Job, say: Callable[[str], None]):
        self._gcloud, self._wanted, self._job, self._say = gcloud, wanted, job, say
        self._restarts = self._failures = 0
        self._was_active = self._starting = False

    def run(self) -> None:
        """Return when the program has ended with 0 on all workers.

        Raises:
          PodError: it failed on a worker (holds the end of its log), the request failed, gcloud
            failed again and again, or there were too many restarts.
        """
        if self._gcloud.dry_run:
            self._request()
            self._set_up()
            return
        while True:
            try:
                if self._look():
                    return
                self._failures = 0
            except CallError as error:
                # Connections break, most of all while slices are being taken away.
                self._failures += 1
                self._say(f"{error} (failure {self._failures} of {_PATIENCE} in a row)")
                if self._failures >= _PATIENCE:
                    raise
            time.sleep(self._job.poll)

    def _look(self) -> bool:
        """Do what the slices need; whether the run is finished."""
        name = self._wanted.name
        state, reason = queued.read_state(self._gcloud, self._wanted)
        if state == queued.ACTIVE:
            self._was_active = True
            return self._look_at_workers()
        if state == queued.ABSENT:
            if self._was_active:
                self._was_active = False
                self._count_restart(f"{name} is gone")
            self._request()
        elif state == queued.SUSPENDED or (state == queued.FAILED and self._was_active):
            # What a preemption leaves cannot be started: it is deleted and requested again.
            self._say(f"{name}: {state}, deleting what is left")
            self._was_active = True
            queued.delete(self._gcloud, self._wanted, self._job.poll)
        elif state in queued.WAITING or state in queued.LEAVING:
            self._say(f"{name}: {state}")
        else:
            raise PodError(queued.failure(self._wanted, state, reason))
        return False

    def _look_at_workers(self) -> bool:
        statuses = workers.statuses(self._gcloud, self._wanted)
        states, codes = {state for _, state, _ in statuses}, [code for _, _, code in statuses]
        broken = [
            (name, code) for name, _, code in statuses if code not in (None, 0, *RESTART_CODES)
        ]
        if broken:
            self._fail(*broken[0])
        if "bare" in states:
            self._set_up()
        elif states == {"idle"} or self._starting:
            self._start()
        elif states == {"ended"} and not any(codes):
            self._say("finished on all workers")
            return True
        elif "running" not in states:
            self._count_restart(f"the run ended: {_count_by_kind(statuses)}")
            self._start()
        return False

    def _request(self) -> None:
        self._say(f"{self._wanted.name}: requesting {self._wanted.accelerator}")
        try:
            self._gcloud(*self._wanted.create())
        except CallError as error:  # no quota, no permission: another try does not help
            raise PodError(str(error)) from None

    def _set_up(self) -> None:
        self._say("installing on all workers")
        workers.install(self._gcloud, self._wanted, self._job.staging)
        self._start()

    def _start(self) -> None:
        self._say("starting on all workers")
        # Workers that one call reached and the next did not are started by the next look.
        self._starting = True
        workers.start(self._gcloud, self._wanted, self._job.program, keep=True)
        self._starting = False

    def _count_restart(self, why: str) -> None:
        self._restarts += 1
        if self._restarts > self._job.max_restarts:
            raise PodError(f"{why}; that was restart {self._job.max_restarts}, the last allowed")
        self._say(f"{why}; restart {self._restarts} of {self._job.max_restarts}")

    def _fail(self, worker: str, code: int | None) -> None:
        log = workers.tail(self._gcloud, self._wanted, worker)
        workers.everywhere(self._gcloud, self._wanted, STOP, check=False)
        raise PodError(
            f"the program ended with exit code {code} on {worker}; the run is stopped, the slices "
            f"are kept ({user_command('pod delete')} deletes them). End of its log:\n{log}"
        )


def _count_by_kind(statuses: Sequence[tuple[str, str, int | None]]) -> str:
    kinds = [state if code is None else f"exit code {code}" for _, state, code in statuses]
    return ", ".join(f"{kinds.count(kind)} x {kind}" for kind in sorted(set(kinds)))
