# SPDX-License-Identifier: Apache-2.0
"""Request TPU slices and wait until they are there.

python launch/pod/create.py --name=medst --zone=us-west4-a --accelerator=v5litepod-16 [--spot]
    [--slices=2] [--valid_until_duration=6h] [--nowait] [--dry_run]
"""

import pathlib
import sys

if not __package__:  # run as a script: the repository need not be installed
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from absl import flags

from medst_jax.commands.pod import command, queued
from medst_jax.commands.pod.gcloud import Gcloud
from medst_jax.commands.pod.slice import Slice

_WAIT = flags.DEFINE_bool("wait", True, "Wait until the slices are active.")


def create(gcloud: Gcloud, wanted: Slice, arguments: list[str]) -> None:
    gcloud(*wanted.create())
    if _WAIT.value and not gcloud.dry_run:
        queued.wait_active(gcloud, wanted, command.POLL.value, command.say)


if __name__ == "__main__":
    command.run(create)
