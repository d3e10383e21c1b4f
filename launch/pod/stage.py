# SPDX-License-Identifier: Apache-2.0
"""Bring the data that a configuration reads to every worker: ArrayRecord reads local files only.

    python launch/pod/stage.py --name=medst --zone=us-west4-a --config=configs/dlilp.py
        --data_from=gs://BUCKET/data --data_to=~/data [--how=mount] [--dry_run]

copy: the data sets of the mixture and of the evaluators, the vocabulary and the exclusion lists,
onto the worker's disk; mount: the whole folder through gcsfuse, for data larger than the disk.
"""

import pathlib
import sys

if not __package__:  # run as a script: the repository need not be installed
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from medst_jax.commands.pod import command, staging_flags, workers
from medst_jax.commands.pod.gcloud import Gcloud
from medst_jax.commands.pod.slice import PodError, Slice


def stage(gcloud: Gcloud, wanted: Slice, arguments: list[str]) -> None:
    script = staging_flags.script()
    if not script:
        raise PodError("--data_from is not given; name the bucket's folder, gs://BUCKET/data")
    workers.everywhere(gcloud, wanted, script)


if __name__ == "__main__":
    command.run(stage)
