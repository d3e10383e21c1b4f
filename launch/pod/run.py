# SPDX-License-Identifier: Apache-2.0
"""Start a program on all workers of all slices, detached; watch it with log.py or status.py.

    python launch/pod/run.py --name=medst --zone=us-west4-a [--slices=2] [--dry_run] --
        launch/train.py --config=configs/dlilp.py --workdir=gs://BUCKET/runs/dlilp
        --config.data.data_dir=~/data

launch/train.py gets --distributed of itself.
"""

import pathlib
import sys

if not __package__:  # run as a script: the repository need not be installed
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from medst_jax.commands.pod import command, workers
from medst_jax.commands.pod.gcloud import Gcloud
from medst_jax.commands.pod.slice import Slice


def start(gcloud: Gcloud, wanted: Slice, program: list[str]) -> None:
    workers.start(gcloud, wanted, program)


if __name__ == "__main__":
    command.run(start)
