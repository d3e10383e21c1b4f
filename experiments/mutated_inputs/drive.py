# SPDX-License-Identifier: Apache-2.0
"""Feeds one reader with mutations of its samples and watches it."""

import dataclasses
import resource
import time
import warnings
import zlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from medst_jax.user_errors import user_message
from tests.data_pipelines.fuzzer import mutate

SECONDS, MEBIBYTES = 5.0, 1024.0


@dataclasses.dataclass(frozen=True)
class Reader:
    """A reader under test.

    Attributes:
      name: what it reads.
      samples: sound inputs.
      read: takes the bytes of one; what it returns does not matter.
      refusals: errors by which it refuses an input, beside those that commands answer in one line.
    """

    name: str
    samples: Sequence[bytes]
    read: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...] = ()


@dataclasses.dataclass
class Outcome:
    """What came of a reader's inputs; seconds of CPU of the longest, growth of memory over all."""

    name: str
    inputs: int = 0
    refused: int = 0
    seconds: float = 0.0
    mebibytes: float = 0.0
    faults: list[str] = dataclasses.field(default_factory=list)


def drive(reader: Reader, seeds: Iterable[int]) -> Outcome:
    """Reads one mutation per seed; the samples themselves must be accepted."""
    for sample in reader.samples:
        reader.read(sample)
    outcome = Outcome(reader.name)
    before = _peak()
    for seed in seeds:
        rng = np.random.default_rng((zlib.crc32(reader.name.encode()), seed))
        data = mutate(rng, reader.samples[int(rng.integers(len(reader.samples)))])
        start = time.process_time()
        fault = _fault(reader, data, outcome)
        seconds = time.process_time() - start
        outcome.inputs += 1
        outcome.seconds = max(outcome.seconds, seconds)
        outcome.mebibytes = max(outcome.mebibytes, _peak() - before)
        if seconds > SECONDS:
            fault = f"{seconds:.1f} s"
        if _peak() - before > MEBIBYTES:
            fault, before = f"{_peak() - before:.0f} MiB", _peak()
        if fault:
            outcome.faults.append(f"seed {seed}: {fault}")
    return outcome


def _fault(reader: Reader, data: bytes, outcome: Outcome) -> str:
    """Reads one input; an error that is no refusal, in words."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader.read(data)
    except reader.refusals:
        outcome.refused += 1
    except Exception as error:  # noqa: BLE001
        if user_message(error) is None or isinstance(error, MemoryError):
            return f"{type(error).__name__}: {str(error)[:200]}"
        outcome.refused += 1
    return ""


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
