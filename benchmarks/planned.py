# SPDX-License-Identifier: Apache-2.0
"""One plan of a configuration of paper size, as `launch/plan.py --json` prints it."""

import json
import pathlib
import subprocess
import sys
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent
GIB = 2**30
# Sequences want an even number of rows on every chip, where a sixteenth of Med-ST's batch is five.
OWN = {("medst", "v5e:4x4"): 8}


def planned(config: str, topology: str, batch: int | None = None) -> dict[str, Any]:
    """Compile the training step of `config` for `topology`.

    Args:
      config: name of a file in `configs/`.
      topology: of `launch/plan.py --topology`.
      batch: examples per chip; None for the configuration's own batch, divided by the chips.

    Raises:
      subprocess.CalledProcessError: it cannot be planned; the planner has said why.
    """
    command = [sys.executable, "launch/plan.py", f"--config=configs/{config}.py", "--json"]
    command += [f"--topology={topology}", "--config.data.data_dir=/nowhere"]
    batch = batch or OWN.get((config, topology))
    command += [f"--per_chip_batch={batch}"] if batch else []
    # Else the compiler for TPUs ends in a segmentation fault for some programs, see docs/tpu_speed.md.
    words = ["bash", "-c", 'ulimit -s unlimited; exec "$@"', "bash", *command]
    run = subprocess.run(words, cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE)
    return json.loads(run.stdout)
