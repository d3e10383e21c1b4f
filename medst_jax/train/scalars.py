# SPDX-License-Identifier: Apache-2.0
"""Scalars of a run: (sum, count) pairs to means, and means to log.jsonl and TensorBoard."""

import contextlib
import importlib.util
import json
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
from etils import epath

from medst_jax.files.reading import DamagedDataError, parse_json
from medst_jax.train.workdir import CONFIG_FILE, LOG_FILE, append_to_file, read_json, write_atomic
from medst_jax.train.writers import Writer

_LOG = logging.getLogger(__name__)


class Means:
    """Means of (sum, count) metrics over the steps since the last `take`."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._counts: dict[str, float] = {}

    def add(self, metrics: Mapping[str, tuple[Any, Any]]) -> None:
        """Add one step's metrics, fetched to the host."""
        for name, (total, count) in metrics.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(total)
            self._counts[name] = self._counts.get(name, 0.0) + float(count)

    def take(self) -> dict[str, float]:
        """The means, and start anew. A metric that counted nothing is left out."""
        means = {n: total / self._counts[n] for n, total in self._sums.items() if self._counts[n]}
        self._sums, self._counts = {}, {}
        return means


class ScalarLog:
    """Writes scalars of process 0; other processes write nothing.

    On a resumed run, lines after the step it resumes from are dropped: they will come again.

    Args:
      workdir: the run's folder.
      start: the step the run starts or resumes from.
      tensorboard: also write event files, where tensorboard is installed.
      trackers: further writers.
    """

    def __init__(
        self,
        workdir: epath.Path,
        start: int,
        *,
        tensorboard: bool = True,
        trackers: Sequence[Writer] = (),
    ):
        self._path = workdir / LOG_FILE
        self._writers: list[Writer] = []
        if jax.process_index() != 0:
            return
        earlier = [line for line in read_log(workdir) if line["step"] <= start] if start else []
        write_atomic(self._path, "".join(json.dumps(line) + "\n" for line in earlier))
        self._writers = [*(_tensorboard(workdir / "tensorboard") if tensorboard else ()), *trackers]
        for writer in self._writers:
            writer.begin(read_json(workdir / CONFIG_FILE))

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Append one line {"step": step, ...}, and give the same scalars to the writers."""
        if jax.process_index() != 0:
            return
        # NaN and infinity are not JSON.
        finite = {name: value for name, value in scalars.items() if math.isfinite(value)}
        line = json.dumps({"step": step, **finite}) + "\n"
        append_to_file(self._path, line.encode())
        for writer in self._writers:
            writer.write(step, finite)

    def close(self) -> None:
        """No scalars come after this."""
        for writer in self._writers:
            writer.close()


def read_log(workdir: epath.Path) -> list[dict[str, float]]:
    """The lines of log.jsonl; what is no line of it, such as one cut short by a kill, is left out."""
    path = workdir / LOG_FILE
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    parsed: list[dict[str, float]] = []
    for line in lines:
        with contextlib.suppress(DamagedDataError):
            parsed.append(parse_json(line, path, "", fields={"step": int}))
    return parsed


def _tensorboard(folder: epath.Path) -> list[Writer]:
    if importlib.util.find_spec("tensorboard") is None:
        _LOG.info("tensorboard not installed: scalars go to log.jsonl only")
        return []
    from medst_jax.train.event_file import EventFile

    return [EventFile(folder)]
