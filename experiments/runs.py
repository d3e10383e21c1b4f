# SPDX-License-Identifier: Apache-2.0
"""Training runs with their evaluation, several at a time; finished ones are skipped."""

import dataclasses
import os
import pathlib
import queue
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent import futures

from tqdm import tqdm

ROOT = pathlib.Path(__file__).resolve().parent.parent
# An encoder as initialised, but for the batch norm, which takes up the statistics of the images.
FROZEN = ("--config.optimizer.learning_rate=0.0", "--config.optimizer.warmup_steps=0")


@dataclasses.dataclass(frozen=True)
class Run:
    """`launch/train.py` with `train` flags, then `launch/evaluate.py` with `evaluate` flags.

    A run without `train` flags evaluates only, such as a baseline of pixels. `starts` maps "image",
    "text" or "heads" to the folder of a finished run, from whose encoder or heads this one starts.
    """

    folder: pathlib.Path
    train: tuple[str, ...]
    evaluate: tuple[str, ...]
    starts: Mapping[str, pathlib.Path] = dataclasses.field(default_factory=dict)


def finish_all(runs: Sequence[Run], jobs: int) -> None:
    """Finish every run, `jobs` at a time; more than one pins each to a core of its own."""
    cores: queue.Queue[int | None] = queue.Queue()
    for core in range(jobs):
        cores.put(core if jobs > 1 else None)

    def work(run: Run) -> None:
        core = cores.get()
        try:
            _finish(run, core)
        finally:
            cores.put(core)

    with futures.ThreadPoolExecutor(jobs) as pool:
        list(tqdm(pool.map(work, runs), total=len(runs), desc="runs", unit="run"))


def _finish(run: Run, core: int | None) -> None:
    evaluation = run.folder / "evaluation"
    if (evaluation / "metrics.json").exists():
        return
    if run.train:
        start = [_start(run.folder, encoder, run.starts[encoder], core) for encoder in run.starts]
        _call(run.folder, ["launch/train.py", *run.train, *start, f"--workdir={run.folder}"], core)
        source = (f"--checkpoint={run.folder}",)
    else:
        source = ()
    _call(
        run.folder, ["launch/evaluate.py", *source, *run.evaluate, f"--output={evaluation}"], core
    )


def _start(folder: pathlib.Path, encoder: str, origin: pathlib.Path, core: int | None) -> str:
    """Export a finished run; the flag that starts this one's encoder from it."""
    weights = folder / f"start_{encoder}"
    _call(folder, ["launch/export.py", f"--checkpoint={origin}", f"--output={weights}"], core)
    place = {
        "image": weights,
        "text": weights / "text_encoder",
        "heads": weights / "heads.safetensors",
    }
    return f"--config.init.{encoder}={place[encoder]}"


def _call(folder: pathlib.Path, command: list[str], core: int | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    script, *arguments = command
    with (folder / "output.txt").open("a") as log:
        code = subprocess.run(
            [sys.executable, str(ROOT / script), *arguments],
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
            preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),
        ).returncode
    if code:
        raise SystemExit(f"error: {script} ended with code {code}; see {folder / 'output.txt'}")
