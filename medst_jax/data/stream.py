# SPDX-License-Identifier: Apache-2.0
"""The global stream of examples as a grain MapDataset, and one process' part of its batches.

Position is arithmetic: the example at row r of step s is number `s * global_batch + r` of the
stream, whatever the processes, workers and threads. A process reads the rows of every step that
its devices hold, so a run goes on from any step, on any number of processes, without stored
iterator state.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import grain
import numpy as np

from medst_jax.data.mixture import Corpus
from medst_jax.data.packs import join_packs, placed
from medst_jax.data.samples import Example, stacked
from medst_jax.data.shuffled_epochs import ShuffledEpochs
from medst_jax.options import OptionError

_SHARED = 1 << 16  # bytes; a smaller array is cheaper sent than given a shared memory of its own
Draws: TypeAlias = "grain.MapDataset[Any]"  # number of the data set, number of the draw
Maker = Callable[[int, tuple[int, int]], Example]  # of an element, from its place and its draw


def example_draws(corpora: Sequence[Corpus], seed: int) -> Draws:
    """Which study is where: each data set shuffled anew every epoch, mixed by weight, no end.

    Args:
      corpora: the mixture.
      seed: of the orders; a data set's own order does not depend on the rest of the mixture.
    """
    draws = [
        grain.MapDataset.range(sys.maxsize).map(
            ShuffledEpochs(corpus.number, corpus.name, len(corpus.rows), seed)
        )
        for corpus in corpora
    ]
    return _mixed(corpora, draws)


def pack_draws(corpora: Sequence[Corpus]) -> Draws:
    """Which pack is where: each data set packed anew every epoch, mixed by weight, no end.

    A data set's packs come in the random order in which they were filled.
    """
    return _mixed(
        corpora,
        [grain.MapDataset.range(sys.maxsize).map(_Numbered(corpus.number)) for corpus in corpora],
    )


def _mixed(corpora: Sequence[Corpus], draws: list[Draws]) -> Draws:
    return grain.MapDataset.mix(draws, weights=[corpus.options.weight for corpus in corpora])


@dataclass(frozen=True)
class _Numbered:
    number: int

    def __call__(self, k: int) -> tuple[int, int]:
        return self.number, k


@dataclass(frozen=True)
class _ProcessBatches:
    """The batches of one process: its elements of step 0, those of step 1, and so on.

    Whole batches are the elements of grain's pipeline: its time per element, spent on every
    example, would be that of decoding a small image.

    global_batch: elements of a step over all processes.
    pack_rows: rows of an element that is a pack, 0 where elements are examples.
    """

    draws: Draws
    make: Maker
    global_batch: int
    rows: np.ndarray
    pack_rows: int

    def __len__(self) -> int:
        return sys.maxsize // self.global_batch

    def __getitem__(self, step: int) -> Example:
        places = [int(step) * self.global_batch + int(row) for row in self.rows]
        elements = [self.make(place, self.draws[place]) for place in places]
        if not self.pack_rows:
            return stacked(elements)
        packs = zip(elements, self.rows, strict=True)
        return join_packs([placed(pack, int(row) * self.pack_rows) for pack, row in packs])


def process_batches(
    draws: Draws,
    make: Maker,
    global_batch: int,
    rows: np.ndarray,
    start_step: int,
    *,
    workers: int,
    threads: int,
    pack_rows: int = 0,
) -> "grain.IterDataset[Any]":
    """Batches of one process from `start_step` on, read ahead by threads or worker processes.

    Args:
      draws: endless, of examples or of packs.
      make: makes an element.
      global_batch: rows of a step over all processes.
      rows: int [n], which of them this process reads, in this order.
      start_step: the first step.
      workers: worker processes, 0 for none; absl flags must be parsed if there are any.
      threads: reader threads of each process.
      pack_rows: rows of a pack; 0 where the elements are examples.

    Raises:
      OptionError: see `check_rows`.
    """
    check_rows(rows, global_batch, pack_rows)
    per_element = max(1, pack_rows)
    elements = rows[::per_element] // per_element
    own = _ProcessBatches(draws, make, global_batch // per_element, elements, pack_rows)
    batches = grain.MapDataset.source(own)[start_step:]
    # An element is a batch: a few read ahead hide the reading, more only fill the memory.
    read = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=threads and threads + 2)
    iterable = batches.to_iter_dataset(read)
    if workers:
        options = grain.experimental.DatasetOptions(min_shm_size=_SHARED)
        iterable = grain.experimental.WithOptionsIterDataset(iterable, options).mp_prefetch(
            grain.multiprocessing.MultiprocessingOptions(
                num_workers=workers, per_worker_buffer_size=2
            )
        )
    return iterable


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
