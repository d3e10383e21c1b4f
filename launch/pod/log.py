# SPDX-License-Identifier: Apache-2.0
"""Print the log of one worker.

python launch/pod/log.py --name=medst --zone=us-west4-a [--slice=0] [--worker=0] [--lines=100]
    [--follow] [--dry_run]
"""

import pathlib
import sys

if not __package__:  # run as a script: the repository need not be installed
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from absl import flags

from medst_jax.commands.pod import command, scripts
from medst_jax.commands.pod.gcloud import Gcloud
from medst_jax.commands.pod.slice import PodError, Slice
from medst_jax.commands.pod.workers import ssh

_SLICE = flags.DEFINE_integer("slice", 0, "Which slice.", lower_bound=0)
_WORKER = flags.DEFINE_string("worker", "0", "Which worker of it, or all.")
_LINES = flags.DEFINE_integer("lines", 100, "How many lines.", lower_bound=1)
_FOLLOW = flags.DEFINE_bool("follow", False, "Go on as the log grows; Ctrl-C ends it.")


def log(gcloud: Gcloud, wanted: Slice, arguments: list[str]) -> int:
    if _SLICE.value >= wanted.slices:
        raise PodError(f"--slice={_SLICE.value}: there are {wanted.slices} slices, from 0")
    script = scripts.log(_LINES.value, _FOLLOW.value)
    node = wanted.nodes[_SLICE.value]
    return gcloud.attached(*ssh(wanted, node, script, _WORKER.value))


if __name__ == "__main__":
    command.run(log)
