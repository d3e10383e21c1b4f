# SPDX-License-Identifier: Apache-2.0
"""Runs the units of a build: here one by one, or mapped by Beam over processes or a cluster."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from data_pipelines.bank import Bank, write_bank
from data_pipelines.encode import Encoding
from data_pipelines.raw import Source

_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Runner:
    """Where units run.

    name: a Beam runner. workers: processes of the DirectRunner, 0 = one per core.
    beam_options: further Beam flags, such as --project and --region for Dataflow.
    """

    name: str = "DirectRunner"
    workers: int = 0
    beam_options: tuple[str, ...] = ()


def run_banks(source: Source, banks: Sequence[Bank], options: Encoding, runner: Runner) -> None:
    """Builds the given banks. A unit that a killed run completed is not built again."""
    workers = min(len(banks), runner.workers or os.cpu_count() or 1)
    if runner.name == "DirectRunner" and workers == 1:
        # Beam takes seconds to start; one process needs none of it.
        for bank in banks:
            with tqdm(desc=f"{source.name} {bank.unit}", unit=" studies") as bar:
                write_bank(source, bank, options, bar.update)
        return
    _run_beam(source, banks, options, runner, workers)


def _run_beam(
    source: Source, banks: Sequence[Bank], options: Encoding, runner: Runner, workers: int
) -> None:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    flags = [f"--runner={runner.name}", "--default_sdk_harness_log_level=ERROR"]
    if runner.name == "DirectRunner":
        flags += ["--direct_running_mode=multi_processing", f"--direct_num_workers={workers}"]
    logging.getLogger("apache_beam").setLevel(logging.ERROR)
    pipeline = beam.Pipeline(options=PipelineOptions([*flags, *runner.beam_options]))
    units = pipeline | "Units" >> beam.Create(list(banks)) | beam.Reshuffle()
    _ = units | "Banks" >> beam.Map(_write, source=source, options=options)
    with _worker_environment(), _progress_bar(source.name, banks):
        pipeline.run().wait_until_finish()


def _write(bank: Bank, *, source: Source, options: Encoding) -> None:
    import cv2

    cv2.setNumThreads(1)
    write_bank(source, bank, options)


@contextlib.contextmanager
def _worker_environment() -> Iterator[None]:
    """Local workers import this checkout and use one thread each."""
    root = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    wanted = {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
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
def _progress_bar(name: str, banks: Sequence[Bank]) -> Iterator[None]:
    """Counts complete banks on disk, which works whatever the runner."""
    done = threading.Event()
    with tqdm(total=len(banks), desc=f"{name} banks", unit="unit") as bar:

        def poll() -> None:
            while not done.wait(_POLL_SECONDS):
                bar.update(sum(bank.complete() for bank in banks) - bar.n)

        thread = threading.Thread(target=poll, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            bar.update(sum(bank.complete() for bank in banks) - bar.n)
