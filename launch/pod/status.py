# SPDX-License-Identifier: Apache-2.0
"""Print the state of the slices and of the run on each worker.

python launch/pod/status.py --name=medst --zone=us-west4-a [--slices=2] [--dry_run]
"""

import pathlib
import sys

if not __package__:  # run as a script: the repository need not be installed
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from medst_jax.commands.pod import command, queued, workers
from medst_jax.commands.pod.gcloud import Gcloud
from medst_jax.commands.pod.slice import Slice


def status(gcloud: Gcloud, wanted: Slice, arguments: list[str]) -> None:
    state, reason = queued.read_state(gcloud, wanted)
    command.say(f"{wanted.name}: {state}{f' ({reason})' if reason else ''}")
    if state != queued.ACTIVE:
        return
    for name, what, code in workers.statuses(gcloud, wanted):
        command.say(f"{name}: {what}{'' if code is None else f' with exit code {code}'}")


if __name__ == "__main__":
    command.run(status)
