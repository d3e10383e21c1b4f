# SPDX-License-Identifier: Apache-2.0
"""A stand-in for srun: starts the tasks of a step on this machine, with what SLURM tells each.

The folder SLURM_STAND_IN holds step.json:
  tasks: of the step, all on one node.
  gpus: that each task sees.
  term_after: steps in WORKDIR/log.jsonl after which the last task gets SIGTERM; absent for never.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

FOLDER = pathlib.Path(os.environ["SLURM_STAND_IN"])
STEP = json.loads((FOLDER / "step.json").read_text())


def main(arguments):
    (FOLDER / "srun.json").write_text(json.dumps(arguments))
    command = list(arguments)
    while command[0].startswith("--"):
        command = command[1:]
    step = {
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_NTASKS": str(STEP["tasks"]),
        "SLURM_STEP_NUM_TASKS": str(STEP["tasks"]),
        "SLURM_STEP_TASKS_PER_NODE": str(STEP["tasks"]),
        "SLURM_NODEID": "0",
        "CUDA_VISIBLE_DEVICES": ",".join(map(str, range(STEP["gpus"]))),
    }
    tasks = [
        subprocess.Popen(
            command,
            env={**os.environ, **step, "SLURM_PROCID": str(k), "SLURM_LOCALID": str(k)},
        )
        for k in range(STEP["tasks"])
    ]
    log = FOLDER / "run" / "log.jsonl"
    while STEP.get("term_after") and all(task.poll() is None for task in tasks):
        if log.exists() and len(log.read_text().splitlines()) >= STEP["term_after"]:
            tasks[-1].send_signal(signal.SIGTERM)
            break
        time.sleep(0.01)
    codes = [task.wait() for task in tasks]
    # The highest code of a task, 128 and the signal for one that was killed.
    return max(code if code >= 0 else 128 - code for code in codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
