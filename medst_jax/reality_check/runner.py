# SPDX-License-Identifier: Apache-2.0
"""Trains and evaluates cells until none is left, beside any number of other processes."""

import dataclasses
import os
import pathlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tqdm import tqdm

from medst_jax.command_line import child_command
from medst_jax.config_flag import CONFIGS
from medst_jax.end_with_parent import child_environment
from medst_jax.evaluate.statistics.rows import FAILED, read_rows
from medst_jax.files.reading import DamagedDataError
from medst_jax.reality_check.cells import Cell
from medst_jax.reality_check.claim import claim
from medst_jax.reality_check.progress import progress
from medst_jax.reality_check.record import CellError, check_folder, claim_folder

WAIT = 5.0  # seconds between looks at cells that others work on


@dataclasses.dataclass(frozen=True)
class CellRunner:
    """Trains and evaluates the cells of a check.

    Attributes:
      root: the clone whose `launch/` holds the commands; None for those of this code.
      output: each cell gets a folder here.
      suite: file of the suite, with its variant.
      digest: of what the suite evaluates.
      data_dir: prepared data.
      variant: of the training configs.
      flags: further flags of every training.
      evaluated: data sets that the suite reads.
      fingerprints: of the prepared data, data set by data set.
      values: digest of the training config of each cell, by the cell's name, before flags.
    """

    root: pathlib.Path | None
    output: pathlib.Path
    suite: str
    digest: str
    data_dir: str
    variant: str
    flags: tuple[str, ...] = ()
    evaluated: tuple[str, ...] = ()
    fingerprints: Mapping[str, str] = dataclasses.field(default_factory=dict)
    values: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def folder(self, cell: Cell) -> pathlib.Path:
        """Where a cell's training and evaluation are."""
        return self.output / "cells" / cell.name

    def record(self, cell: Cell) -> dict[str, Any]:
        """What a cell is made of: a folder that was made of something else is another cell's."""
        return {
            "config": f"{cell.config}:{self.variant}" if cell.config else "",
            "values": self.values.get(cell.name, ""),
            "sites": list(cell.sites),
            "seed": cell.seed,
            "flags": [*cell.flags, *self.flags] if cell.config else [],
            "evaluate": list(cell.evaluate),
            "suite": self.digest,
            "data": {
                name: self.fingerprints[name]
                for name in sorted({*cell.sites, *self.evaluated})
                if name in self.fingerprints
            },
        }

    def done(self, cell: Cell) -> bool:
        """Whether a cell has been evaluated, all of its tasks; metrics.json is written last.

        Raises:
          CellError: its folder holds another cell.
        """
        check_folder(self.folder(cell), self.record(cell))
        try:
            rows = read_rows(self.folder(cell) / "evaluation" / "metrics.json")
        except (FileNotFoundError, DamagedDataError):  # what cannot be read is written again
            return False
        return all(row.metric != FAILED for row in rows)

    def finish(self, cells: Sequence[Cell]) -> None:
        """Do all cells, skipping those that are done and those that others hold; wait for these.

        Raises:
          CellError: one failed; the others keep what they have.
        """
        left = [cell for cell in cells if not self.done(cell)]
        with tqdm(total=len(cells), initial=len(cells) - len(left), desc="cells") as bar:
            while left:
                elsewhere = []
                for cell in left:
                    bar.set_postfix_str(cell.name)
                    lost = threading.Event()
                    with claim(self.folder(cell), lost) as ours:
                        if ours and not self.done(cell):
                            self._run_cell(cell, lost, bar.set_postfix_str)
                    if self.done(cell):
                        bar.update()
                    else:
                        elsewhere.append(cell)
                if len(elsewhere) == len(left):
                    time.sleep(WAIT)
                left = elsewhere

    def _run_cell(self, cell: Cell, lost: threading.Event, show: Callable[[str], None]) -> None:
        folder = self.folder(cell)

        def tick() -> None:
            show(f"{cell.name}: {progress(folder)}")

        claim_folder(folder, self.record(cell))
        evaluate = [
            "evaluate",
            f"--suite={self.suite}",
            f"--data_dir={self.data_dir}",
            f"--output={folder / 'evaluation'}",
        ]
        if cell.evaluate:
            words = [*evaluate, *cell.evaluate, f"--name={cell.name}"]
            self._run_command(folder, words, lost, tick)
            return
        train = (
            "train",
            f"--config={CONFIGS / cell.config}.py:{cell.variant_of(self.variant)}",
            f"--workdir={folder}",
            f"--config.seed={cell.seed}",
            f"--config.data.data_dir={self.data_dir}",
            *cell.flags,
            *self.flags,
        )
        self._run_command(folder, train, lost, tick)
        judged = [*evaluate, f"--checkpoint={folder}", f"--name={cell.config}"]
        self._run_command(folder, judged, lost, tick)

    def _run_command(
        self,
        folder: pathlib.Path,
        command: Sequence[str],
        lost: threading.Event,
        tick: Callable[[], None],
    ) -> None:
        """Run a command to its end, `tick` each second; no further once the cell is another host's."""
        name, *arguments = command
        script = self.root and [sys.executable, str(self.root / "launch" / f"{name}.py")]
        log = folder / "output.txt"
        if lost.is_set():
            return
        with log.open("a") as file:
            child = subprocess.Popen(
                [*(script or child_command(name)), *arguments],
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**child_environment(os.environ), "PYTHONUNBUFFERED": "1"},
            )
        try:
            while (code := _wait(child)) is None:
                tick()
                if lost.is_set():
                    return
        finally:
            child.kill()
            child.wait()
        if code:
            raise CellError(f"{name} ended with code {code}; see {log}")


def _wait(child: subprocess.Popen[bytes]) -> int | None:
    try:
        return child.wait(timeout=1.0)
    except subprocess.TimeoutExpired:
        return None


Workshop = CellRunner  # its name in scripts of the first edition


def budget(cells: Sequence[Cell], done: int, seconds: float) -> str:
    """What is about to be spent, as a sentence."""
    left = len(cells) - done
    minutes = (left * seconds + 30) / 60 if left else 0.0
    return (
        f"{len(cells)} cells, {done} done, {left} to train and evaluate: "
        f"about {minutes:.0f} minutes in one process on two cores"
    )
