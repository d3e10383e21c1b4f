# SPDX-License-Identifier: Apache-2.0
"""Train a system, or resume the training in WORKDIR.

    python launch/train.py --config=configs/dlilp.py:smoke --workdir=/tmp/dlilp

It ends with the place of the checkpoint and the next command. Several processes train together when each is started with --distributed, on TPU pods and under
SLURM's srun without further flags, elsewhere with the address of process 0, their number and an index of its own:

    python launch/train.py ... --distributed --coordinator=host:1234 --num_processes=2 --process_id=0

Exit codes: 0 trained to the last step, 75 stopped by SIGTERM after saving (run the same command
again), 1 failed with a message.
"""

import json
import logging
import pathlib
import sys

from absl import app, flags

if not __package__:  # run as a script: the repository need not be installed
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from medst_jax import config_flag
from medst_jax.commands.parts.answers import user_errors
from medst_jax.commands.parts.parse import parse_flags

_CONFIG = config_flag.define("config")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run; resumed when it has one.")
_TRACKER = flags.DEFINE_enum(
    "tracker", None, ["wandb"], "Send scalars, and the configuration without paths, to it too."
)
_PROJECT = flags.DEFINE_string("tracker_project", "medst_jax", "Project of --tracker.")
_DISTRIBUTED = flags.DEFINE_bool("distributed", False, "One process of several: TPU pods, SLURM.")
_COORDINATOR = flags.DEFINE_string("coordinator", None, "host:port of process 0; none on TPU pods.")
_PROCESSES = flags.DEFINE_integer("num_processes", None, "How many processes there are.")
_PROCESS = flags.DEFINE_integer("process_id", None, "Index of this process, from 0.")


def main(_: list[str]) -> None:
    if _CONFIG.value is None or not _WORKDIR.value:
        raise app.UsageError("--config and --workdir are required")
    # JAX only now: flags are parsed, and help printed, without it.
    import jax

    from medst_jax.commands.parts.training import train
    from medst_jax.commands.parts.what_next import after_training
    from medst_jax.parallel.processes import join_processes
    from medst_jax.parallel.slurm import check_together
    from medst_jax.train.runtime import PREEMPTED_EXIT_CODE
    from medst_jax.train.writers import Wandb

    with user_errors():
        # Through JSON, so that a first run and a resumed one see the same plain values.
        config = json.loads(json.dumps(_CONFIG.value.to_dict()))
        if _DISTRIBUTED.value:
            join_processes(_COORDINATOR.value, _PROCESSES.value, _PROCESS.value)
        elif (_COORDINATOR.value, _PROCESSES.value, _PROCESS.value) != (None, None, None):
            raise app.UsageError("--coordinator, --num_processes, --process_id need --distributed")
        else:
            check_together()
        if jax.process_index() != 0:
            logging.getLogger("medst_jax").setLevel(logging.WARNING)
        trackers = [Wandb(_PROJECT.value)] if _TRACKER.value else []
        step, preempted = train(config, _WORKDIR.value, trackers)
    if jax.process_index() == 0:
        file = config_flag.file_of(_CONFIG)
        lines = after_training(_WORKDIR.value, file, step, preempted=preempted)
        print(*lines, sep="\n", flush=True)
    sys.exit(PREEMPTED_EXIT_CODE if preempted else 0)


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
