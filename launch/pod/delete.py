# SPDX-License-Identifier: Apache-2.0
"""Delete the slices and their request; wait until they are gone, and no longer charged.

python launch/pod/delete.py --name=medst --zone=us-west4-a [--dry_run]
"""

import pathlib
import sys

if not __package__:  # run as a script: the repository need not be installed
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from medst_jax.commands.pod import command, queued
from medst_jax.commands.pod.gcloud import Gcloud
from medst_jax.commands.pod.slice import Slice


def delete(gcloud: Gcloud, wanted: Slice, arguments: list[str]) -> None:
    if not queued.delete(gcloud, wanted, command.POLL.value):
        command.say(f"{wanted.name} does not exist")


if __name__ == "__main__":
    command.run(delete)
