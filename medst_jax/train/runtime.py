# SPDX-License-Identifier: Apache-2.0
"""What watches a run from the side: compiled-program cache, hang watchdog, profiler, preemption."""

import contextlib
import faulthandler
import logging
import os
import re
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Self

import jax
from etils import epath
from jax.experimental import multihost_utils

_LOG = logging.getLogger(__name__)

# sysexits.h EX_TEMPFAIL: "try again". A supervisor restarts the same command on this code.
PREEMPTED_EXIT_CODE = 75

_STDERR = 2


def enable_compilation_cache(folder: str) -> None:
    """Keep compiled programs in `folder` (`~` is expanded); an empty name changes nothing."""
    if not folder:
        return
    jax.config.update("jax_compilation_cache_dir", os.path.expanduser(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


@contextlib.contextmanager
def compiling() -> Iterator[None]:
    """Where programs are compiled or read from the cache; removes damaged entries of the cache.

    JAX writes an entry in place, so that a kill or a full disk can cut it short. It then warns
    and compiles at every start, but never replaces the entry.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        damaged = re.search(r"compilation cache entry for '(\w+)'", str(warning.message))
        folder = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
        if damaged is None or not folder:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
            continue
        _LOG.info("removing damaged compiled programs %s from %s", damaged[1], folder)
        for entry in epath.Path(folder).glob(f"{damaged[1]}-*-cache"):
            entry.unlink(missing_ok=True)


class Watchdog:
    """Dumps the stacks of all threads to stderr when no step ends for so many seconds.

    The run goes on: a slow step is not an error. 0 seconds switch it off.
    """

    def __init__(self, seconds: float):
        self._seconds = seconds
        self._last = time.monotonic()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.alive()
        if self._seconds > 0:
            self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
            self._thread.start()
        return self

    def alive(self) -> None:
        """Start the countdown again."""
        self._last = time.monotonic()

    def _watch(self) -> None:
        left = self._seconds
        while not self._ended.wait(left):
            left = self._last + self._seconds - time.monotonic()
            if left <= 0:
                # From a thread of Python's, which holds the interpreter lock: the timer of
                # faulthandler walks stacks that are being changed, and may crash the run.
                os.write(_STDERR, f"no step for {self._seconds:g} seconds\n".encode())
                faulthandler.dump_traceback(_STDERR, all_threads=True)
                self.alive()
                left = self._seconds

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()


class Profiler:
    """A profiler trace of steps `first` to `last`, both included, in one folder."""

    def __init__(self, folder: epath.Path, steps: tuple[int, int] | None):
        self._folder, self._steps, self._running = folder, steps, False

    def before(self, step: int) -> None:
        """Start the trace when `step` is the first of the range."""
        if self._steps is not None and step == self._steps[0]:
            jax.profiler.start_trace(str(self._folder))
            self._running = True

    def after(self, step: int) -> None:
        """Stop the trace after the last step of the range, or when told the run ends."""
        if self._running and self._steps is not None and step >= self._steps[1]:
            jax.profiler.stop_trace()
            self._running = False
            _LOG.info("profiler trace of steps %d-%d in %s", *self._steps, self._folder)


class Preemption:
    """Whether to stop: SIGTERM, on any process of the run.

    With several processes the coordination service spreads the signal and all of them stop at
    the same step; a single process listens itself while the context is open.
    """

    def __init__(self) -> None:
        self._received = False
        self._previous: signal.Handlers = signal.SIG_DFL

    def __enter__(self) -> Self:
        if jax.process_count() == 1:
            self._previous = signal.signal(signal.SIGTERM, self._receive)  # type: ignore[assignment]
        return self

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received = True

    def requested(self, step: int) -> bool:
        """Ask once per step, on every process."""
        if jax.process_count() > 1:
            return bool(multihost_utils.reached_preemption_sync_point(step))
        return self._received

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if jax.process_count() == 1:
            signal.signal(signal.SIGTERM, self._previous)
