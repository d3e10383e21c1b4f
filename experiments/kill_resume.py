# SPDX-License-Identifier: Apache-2.0
"""Kill a training run with SIGKILL at random moments and compare its end with a run left alone.

    python -m experiments.kill_resume --data_dir=data --workdir=/tmp/kills [--kills=20]

Each kill has a run of its own: started, killed at a moment drawn between its first checkpoint and
its last steps (during steps, checkpoints being written, evaluation), then started again by the
same command and left to its end, where its checksums are compared. Prints one line of JSON; exits 1
when any checksum differs. Kills before the first checkpoint leave nothing to resume: --early of
them are made as well, at moments of the imports, the compilation and the first steps.
"""

import json
import pathlib
import random
import shutil
import subprocess
import sys
import time

from absl import app, flags
from tqdm import tqdm

ROOT = pathlib.Path(__file__).resolve().parent.parent

_CONFIG = flags.DEFINE_string("config", str(ROOT / "configs/dlilp.py:tiny"), "What to train.")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Prepared data.", required=True)
_WORKDIR = flags.DEFINE_string("workdir", None, "Scratch folder, emptied first.", required=True)
_STEPS = flags.DEFINE_integer("steps", 60, "Steps of a run.", lower_bound=2)
_EVERY = flags.DEFINE_integer("checkpoint_every", 3, "Steps between checkpoints.", lower_bound=1)
_KILLS = flags.DEFINE_integer("kills", 20, "Kills after the first checkpoint.", lower_bound=1)
_EARLY = flags.DEFINE_integer("early", 3, "Kills before the first checkpoint.", lower_bound=0)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the moments.")

CHECKED = ("step", "parameter_checksum", "state_checksum")


def main(_: list[str]) -> None:
    scratch = pathlib.Path(_WORKDIR.value)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    # The first run fills the cache of compiled programs; the second gives the time.
    reference, first_seconds = _finish(_start(scratch / "warm", scratch))
    again, seconds = _finish(_start(scratch / "whole", scratch))
    rng, resumed_at, equal = random.Random(_SEED.value), [], int(again == reference)
    last = _STEPS.value - 2 * _EVERY.value
    # Spread over the run, one in each of equal parts of it.
    width = (last - _EVERY.value) / _KILLS.value
    moments = [_EVERY.value + int((k + rng.random()) * width) for k in range(_KILLS.value)]
    for number, step in enumerate(tqdm([-1] * _EARLY.value + moments, unit="kill")):
        workdir = scratch / f"killed-{number}"
        process = _start(workdir, scratch)
        if step < 0:
            time.sleep(rng.uniform(0.0, seconds / 2))
        else:
            _wait(process, step)
            # Anywhere in the steps and the writing that follow.
            time.sleep(rng.uniform(0.0, seconds * _EVERY.value / _STEPS.value))
        if process.poll() is not None:
            sys.exit(f"training in {workdir} ended before its kill; see {scratch / 'log.txt'}")
        process.kill()
        process.wait()
        resumed_at.append(_newest(workdir))
        equal += _finish(_start(workdir, scratch))[0] == reference
    runs = len(resumed_at) + 1
    print(
        json.dumps(
            {
                "kills": len(resumed_at),
                "runs_compared": runs,
                "runs_equal": equal,
                "resumed": sum(step >= 0 for step in resumed_at),
                "checkpoint_at_each_kill": resumed_at,
                "seconds_of_a_run": round(seconds, 1),
                "seconds_without_compiled_programs": round(first_seconds, 1),
                **dict(zip(CHECKED, reference, strict=True)),
            }
        )
    )
    sys.exit(0 if equal == runs else 1)


def _wait(process: "_Run", step: int) -> None:
    """Until the checkpoint of that step, or of one after it, is complete."""
    while process.poll() is None and _newest(process.workdir) < step:
        time.sleep(0.02)


class _Run(subprocess.Popen[bytes]):
    """A training process that remembers its workdir and when it was started."""

    workdir: pathlib.Path
    began: float


def _start(workdir: pathlib.Path, scratch: pathlib.Path) -> _Run:
    began = time.perf_counter()
    with (scratch / "log.txt").open("ab") as log:
        process = _Run(
            [
                sys.executable,
                str(ROOT / "launch/train.py"),
                f"--config={_CONFIG.value}",
                f"--workdir={workdir}",
                f"--config.data.data_dir={_DATA_DIR.value}",
                f"--config.train.steps={_STEPS.value}",
                f"--config.train.checkpoint_every={_EVERY.value}",
            ],
            stdout=log,
            stderr=log,
        )
    process.workdir, process.began = workdir, began
    return process


def _finish(process: _Run) -> tuple[tuple[object, ...], float]:
    if process.wait() != 0:
        sys.exit(
            f"training in {process.workdir} exited with {process.returncode}; "
            f"see {process.workdir.parent / 'log.txt'}"
        )
    summary = json.loads((process.workdir / "summary.json").read_text())
    return tuple(summary[key] for key in CHECKED), time.perf_counter() - process.began


def _newest(workdir: pathlib.Path) -> int:
    """Step of the newest complete checkpoint, -1 before the first."""
    folder = workdir / "checkpoints"
    names = [path.name for path in folder.iterdir()] if folder.exists() else []
    return max((int(name) for name in names if name.isdigit()), default=-1)


if __name__ == "__main__":
    app.run(main)
