# SPDX-License-Identifier: Apache-2.0
"""The global stream of examples as a grain MapDataset, and one process' part of its batches.

Position is arithmetic: the example at row r of step s is number `s * global_batch + r` of the
stream, whatever the processes, workers and threads. A process reads the rows of every step that
its devices hold, so a run goes on from any step, on any number of processes, without stored
iterator state.
"""

import sys
from dataclasses import dataclass

import grain
import numpy as np

from medst_jax.data.loader.batch_maker import Allocate, BatchMaker
from medst_jax.data.loader.buffer_pool import BufferPool
from medst_jax.data.loader.sampled_rows import ExampleSampler, PackSampler, Rows
from medst_jax.data.loader.shared_buffers import (
    SUPPORTED,
    SharedBatchReader,
    SharedBufferPool,
)
from medst_jax.end_with_parent import watch_multiprocessing_parent
from medst_jax.options import OptionError

_READ_AHEAD = 2  # batches of each worker process that wait to be fetched


@dataclass(frozen=True)
class _ProcessBatches:
    """The batches of one process: its rows of step 0, those of step 1, and so on.

    Whole batches are the elements of grain's pipeline: its time per element, spent on every
    example, would be that of decoding a small image.

    global_batch: rows of a step over all processes.
    rows: int64 [n], those that this process reads.
    """

    sampler: ExampleSampler | PackSampler
    make: BatchMaker
    global_batch: int
    rows: np.ndarray
    allocate: Allocate

    def __len__(self) -> int:
        # Without end, as far as grain can count.
        return sys.maxsize // self.global_batch

    def __getitem__(self, step: int) -> Rows:
        watch_multiprocessing_parent()  # once, in a worker process
        sampled, sequences = self.sampler(int(step) * self.global_batch + self.rows)
        return self.make(sampled, self.allocate) | sequences


def process_batches(
    make: BatchMaker,
    sampler: ExampleSampler | PackSampler,
    global_batch: int,
    rows: np.ndarray,
    start_step: int,
    *,
    workers: int,
    threads: int,
) -> "grain.IterDataset[Rows]":
    """Batches of one process from `start_step` on, read ahead by threads or worker processes.

    Args:
      make: makes rows.
      sampler: which studies the rows show; `PackSampler` for batches of sequences.
      global_batch: rows of a step over all processes.
      rows: int [n], which of them this process reads, in this order.
      start_step: the first step.
      workers: worker processes, 0 for none; absl flags must be parsed if there are any.
      threads: reader threads of each process.

    Raises:
      OptionError: see `check_rows`.
    """
    check_rows(rows, global_batch, sampler.pack_rows)
    shared = SharedBufferPool() if workers and SUPPORTED else None
    allocate: Allocate = shared or BufferPool()
    own = _ProcessBatches(sampler, make, global_batch, np.asarray(rows, np.int64), allocate)
    batches = grain.MapDataset.source(own)[start_step:]
    # An element is a batch: a few read ahead hide the reading, more only fill the memory.
    read = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=threads and threads + 2)
    if not workers:
        return batches.to_iter_dataset(read)
    processes = grain.multiprocessing.MultiprocessingOptions(
        num_workers=workers, per_worker_buffer_size=_READ_AHEAD
    )
    if shared is None:
        return batches.to_iter_dataset(read).mp_prefetch(processes)
    # Images cross to this process in shared memory instead of being pickled.
    sent = batches.map(shared.share).to_iter_dataset(read)
    return sent.mp_prefetch(processes).map(SharedBatchReader())


def check_rows(rows: np.ndarray, global_batch: int, pack_rows: int = 0) -> None:
    """Check which rows of a batch a process reads.

    Raises:
      OptionError: none, not of this batch, or not whole packs; names the numbers.
    """
    if global_batch < 1:
        raise OptionError(f"config.train.batch_size is {global_batch}; it must be at least 1")
    if not len(rows) or np.min(rows) < 0 or np.max(rows) >= global_batch:
        raise OptionError(f"rows {list(rows)[:8]} are not rows of a batch of {global_batch}")
    if not pack_rows:
        return
    first = rows[::pack_rows]
    whole = len(rows) % pack_rows == 0 and not np.any(first % pack_rows)
    if not whole or np.any(rows != np.repeat(first, pack_rows) + np.arange(len(rows)) % pack_rows):
        raise OptionError(
            f"config.train.batch_size={global_batch} gives this process {len(rows)} rows, which are "
            f"not whole packs of config.data.pack_rows={pack_rows}; change one of them"
        )
