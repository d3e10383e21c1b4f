# SPDX-License-Identifier: Apache-2.0
"""Keep a training run going until it is finished, through preemptions.

    python launch/pod/watch.py --name=medst --zone=us-west4-a --accelerator=v5litepod-16 --spot
        --config=configs/dlilp.py --data_from=gs://BUCKET/data [--max_restarts=100] [--dry_run] --
        launch/train.py --config=configs/dlilp.py --workdir=gs://BUCKET/runs/dlilp
        --config.data.data_dir=~/data

Requests the slices when there are none, installs, stages and starts, then looks again and again:
slices that were taken away are deleted and requested anew, a program that ended with exit code 75
(saved after SIGTERM) or was killed is started again; any other exit code ends the watch with the
end of that worker's log. It may itself be stopped and started at any time.
"""

import pathlib
import sys

if not __package__:  # run as a script: the repository need not be installed
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from absl import flags

from medst_jax.commands.pod import command, staging_flags
from medst_jax.commands.pod.gcloud import Gcloud
from medst_jax.commands.pod.program import check_program
from medst_jax.commands.pod.slice import Slice
from medst_jax.commands.pod.watching import Job, Watch

_RESTARTS = flags.DEFINE_integer(
    "max_restarts", 100, "How often the run may begin again.", lower_bound=0
)


def watch(gcloud: Gcloud, wanted: Slice, program: list[str]) -> None:
    check_program(program)
    job = Job(program, staging_flags.script(), _RESTARTS.value, command.POLL.value)
    Watch(gcloud, wanted, job, command.say).run()


if __name__ == "__main__":
    command.run(watch)
