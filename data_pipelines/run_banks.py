# SPDX-License-Identifier: Apache-2.0
"""Runs the units of a build: here one by one, or mapped by Beam over processes or a cluster."""

from __future__ import annotations

import contextlib
import logging
import os
import pydoc
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tqdm import tqdm

from medst_jax.command_line import clone
from medst_jax.data_pipelines.bank import Bank, write_bank
from medst_jax.data_pipelines.encode import Encoding
from medst_jax.data_pipelines.raw import CountedSource, Source
from medst_jax.end_with_parent import child_environment, watch_parent
from medst_jax.user_errors import is_listed

_POLL_SECONDS = 0.5
# Beam tells an error of a worker as the text of its traceback.
_RAISED = re.compile(r"^([A-Za-z_][\w.]*(?:Error|Exception)\w*): (.*)$", re.MULTILINE)


class WorkerError(RuntimeError):
    """What ended a worker, such as a full disk; the message is that of the error there."""


@dataclass(frozen=True)
class Runner:
    """Where units run.

    name: a Beam runner. workers: processes of the DirectRunner, 0 = one per core.
    beam_options: further Beam flags, such as --project and --region for Dataflow.
    """

    name: str = "DirectRunner"
    workers: int = 0
    beam_options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """One unit to do."""

    source: Source
    bank: Bank
    options: Encoding


def run_banks(tasks: Sequence[Task], runner: Runner) -> None:
    """Builds banks. A unit that a killed run completed is not built again."""
    workers = min(len(tasks), runner.workers or os.cpu_count() or 1)
    if runner.name == "DirectRunner" and workers <= 1:
        # Beam takes seconds to start; one process needs none of it.
        with tqdm(total=_studies_of(tasks), unit=" studies") as bar:
            for task in tasks:
                bar.set_description(f"{task.source.name} {task.bank.unit}", refresh=False)
                write_bank(task.source, task.bank, task.options, bar.update)
        return
    _run_beam(tasks, runner, workers)


def _studies_of(tasks: Sequence[Task]) -> int | None:
    """How many studies there are to write, for the time that is left; None where a source cannot say."""
    counts = [
        task.source.studies_in(task.bank.unit)
        for task in tasks
        if isinstance(task.source, CountedSource)
    ]
    return sum(counts) if len(counts) == len(tasks) else None


def _run_beam(tasks: Sequence[Task], runner: Runner, workers: int) -> None:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    flags = [f"--runner={runner.name}", "--default_sdk_harness_log_level=ERROR"]
    if runner.name == "DirectRunner":
        flags += ["--direct_running_mode=multi_processing", f"--direct_num_workers={workers}"]
    logging.getLogger("apache_beam").setLevel(logging.ERROR)
    pipeline = beam.Pipeline(options=PipelineOptions([*flags, *runner.beam_options]))
    units = pipeline | "Units" >> beam.Create(list(tasks)) | beam.Reshuffle()
    _ = units | "Banks" >> beam.Map(_write)
    with _worker_environment(), _progress_bar([task.bank for task in tasks]):
        try:
            pipeline.run().wait_until_finish()
        except Exception as error:
            raise _of_worker(error) or error from error


def _of_worker(error: Exception) -> WorkerError | None:
    """The error of a worker that a user can mend; None where it keeps Beam's account of it."""
    raised = _RAISED.findall(str(error))
    # The last is the first cause's, with a note of where in the pipeline it was.
    kind, message = raised[-1] if raised else ("", "")
    name = kind if "." in kind else f"builtins.{kind}"
    error_class = pydoc.locate(name)
    if not (
        isinstance(error_class, type)
        and issubclass(error_class, Exception)
        and is_listed(error_class)
    ):
        return None
    return WorkerError(f"{message.partition(' [while running')[0]} (in a worker)")


def _write(task: Task) -> None:
    import cv2

    watch_parent()  # of a local worker; elsewhere the runner sees to its workers
    cv2.setNumThreads(1)
    write_bank(_shared(task.source), task.bank, task.options)


# A worker's last sources. Each unit arrives with a copy of its source, which would read its tables
# again; an equal one that has read them serves as well.
_known: list[Source] = []


def _shared(source: Source) -> Source:
    for known in _known:
        if known == source:
            return known
    _known[:] = [source, *_known[:1]]
    return source


@contextlib.contextmanager
def _worker_environment() -> Iterator[None]:
    """Local workers import this clone, if it is one, and use one thread each."""
    root = clone()
    path = os.pathsep.join(filter(None, [str(root) if root else "", os.environ.get("PYTHONPATH")]))
    wanted = {**child_environment({}), "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _progress_bar(banks: Sequence[Bank]) -> Iterator[None]:
    """Counts complete banks on disk, which works whatever the runner."""
    done = threading.Event()
    with tqdm(total=len(banks), desc="image banks", unit=" units") as bar:

        def poll() -> None:
            while not done.wait(_POLL_SECONDS):
                finished = sum(bank.complete() for bank in banks)
                if finished > bar.n:
                    bar.update(finished - bar.n)

        thread = threading.Thread(target=poll, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            bar.update(sum(bank.complete() for bank in banks) - bar.n)
