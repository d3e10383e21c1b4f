# SPDX-License-Identifier: Apache-2.0
"""What a training costs before and at its first step: processor time, peak memory, lines on the console.

    python -m benchmarks.start_up --experiment=configs/dlilp.py:smoke --prepared=data

A training of one step, its checkpoint included, is run twice in processes of their own: the first fills the
compilation cache, the second is measured. Beside it stands the floor: a process that imports the
libraries such a training needs and does nothing. One line of JSON.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from absl import app, flags

_CONFIG = flags.DEFINE_string(
    "experiment", "configs/dlilp.py:smoke", "Configuration of the training."
)
_DATA = flags.DEFINE_string("prepared", "data", "Folder of prepared data.")

_LIBRARIES = "import jax, flax.nnx, optax, grain, orbax.checkpoint, cv2"


def measured(words: Sequence[str]) -> dict[str, Any]:
    """Processor seconds, the peak of one process, and lines written of a Python command.

    Linux counts what this process holds when it starts the command as the command's own: the peak
    is right where this process is the smaller one.

    Raises:
      RuntimeError: it failed.
    """
    with tempfile.TemporaryFile("w+") as console:
        process = subprocess.Popen([sys.executable, *words], stdout=console, stderr=console)
        _, status, usage = os.wait4(process.pid, 0)  # this child's own use, not that of all
        process.returncode = os.waitstatus_to_exitcode(status)
        console.seek(0)
        lines = console.readlines()
    if process.returncode:
        raise RuntimeError(f"{' '.join(words)} failed:\n{''.join(lines[-20:])}")
    return {
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_mb": round((usage.ru_maxrss << 10) / 1e6),
        "console_lines": len(lines),
    }


def main(_: list[str]) -> None:
    floor = measured(["-c", _LIBRARIES])
    runs = []
    for _run in range(2):
        with tempfile.TemporaryDirectory() as workdir:
            command = ["launch/train.py", f"--config={_CONFIG.value}", f"--workdir={workdir}/run"]
            options = [f"--config.data.data_dir={_DATA.value}", "--config.train.steps=1"]
            runs.append(measured([*command, *options]))
    print(
        json.dumps({"config": _CONFIG.value, "first": runs[0], "warm": runs[1], "imports": floor})
    )


if __name__ == "__main__":
    app.run(main)
