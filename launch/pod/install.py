# SPDX-License-Identifier: Apache-2.0
"""Copy the committed repository to all workers and install it there, with its own Python.

python launch/pod/install.py --name=medst --zone=us-west4-a [--slices=2] [--dry_run]
"""

import pathlib
import sys

if not __package__:  # run as a script: the repository need not be installed
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from medst_jax.commands.pod import command, workers
from medst_jax.commands.pod.gcloud import Gcloud
from medst_jax.commands.pod.slice import Slice


def install(gcloud: Gcloud, wanted: Slice, arguments: list[str]) -> None:
    workers.install(gcloud, wanted)


if __name__ == "__main__":
    command.run(install)
