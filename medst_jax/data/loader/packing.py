# SPDX-License-Identifier: Apache-2.0
"""Study sequences of any length packed flat into packs of a fixed number of rows.

A pack is full: it holds whole windows of consecutive studies of a patient, and studies that stand
alone fill what is left. Where nothing fits, a window is cut, never padded: a cut costs temporal
pairs, padding would cost an encoder's work.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Packs:
    """The packs of one epoch; P packs of R rows.

    order: int64 [P, R], which study each row is, windows contiguous and in time order.
    window: int16 [P, R], number of each row's window in its pack.
    cut: windows that were cut to fill a pack.
    """

    order: np.ndarray
    window: np.ndarray
    cut: int

    def __len__(self) -> int:
        return len(self.order)


def full_windows(counts: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows of `length` studies from each patient's first on; the rest stand alone.

    Args and returns as of `cut_windows`.
    """
    whole, alone = counts // length, counts % length
    sizes = np.repeat(
        np.tile([length, 1], len(counts)), np.stack([whole, alone], axis=1).reshape(-1)
    )
    return np.cumsum(sizes) - sizes, sizes


def cut_windows(
    counts: np.ndarray, length: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Cut every patient's studies into windows of nearly equal size, at most `length`.

    Args:
      counts: int [patients], studies of each, all positive.
      length: T, the longest window.
      generator: which windows of a patient are the longer ones.

    Returns:
      starts and sizes, int64 [windows], over the studies of all patients in order.
    """
    windows = -(-counts // length)
    base, extra = counts // windows, counts % windows
    # Which windows are longer is random: else a patient's last studies would always stand in short
    # ones.
    offset = generator.integers(0, windows)
    place = np.arange(windows.sum()) - np.repeat(np.cumsum(windows) - windows, windows)
    longer = (place + np.repeat(offset, windows)) % np.repeat(windows, windows)
    sizes = np.repeat(base, windows) + (longer < np.repeat(extra, windows))
    return np.cumsum(sizes) - sizes, sizes


def pack_epoch(
    counts: np.ndarray,
    length: int,
    rows: int,
    generator: np.random.Generator,
    *,
    full: bool = False,
) -> Packs:
    """Pack one pass over all studies; fewer than `rows` of them are left over.

    Windows are taken in a random order. The last of a pack is the oldest that fits exactly, so
    that few are cut.

    Args:
      counts: int [patients], studies of each patient.
      length: T, studies of the longest window, at least 2.
      rows: R, rows of a pack.
      generator: of the windows and their order.
      full: whether windows are those of `full_windows`.
    """
    starts, sizes = full_windows(counts, length) if full else cut_windows(counts, length, generator)
    order = generator.permutation(len(starts))
    # A queue of windows for each size, every window with its rank in the random order.
    queues: list[deque[tuple[int, int]]] = [deque() for _ in range(length + 1)]
    for rank, k in enumerate(order.tolist()):
        queues[sizes[k]].append((rank, int(starts[k])))
    packs = int(counts.sum()) // rows
    studies = np.zeros((packs, rows), np.int64)
    window = np.zeros((packs, rows), np.int16)
    cut = 0
    for p in range(packs):
        filled = number = 0
        while filled < rows:
            room = rows - filled
            size = _choose_size(queues, room)
            if size > room:
                rank, start = queues[size].popleft()
                # What is cut off keeps its rank, so that it comes before younger windows of its size.
                queues[size - room].appendleft((rank, start + room))
                size, cut = room, cut + 1
            else:
                _, start = queues[size].popleft()
            studies[p, filled : filled + size] = np.arange(start, start + size)
            window[p, filled : filled + size] = number
            filled, number = filled + size, number + 1
    return Packs(studies, window, cut)


def _choose_size(queues: list[deque[tuple[int, int]]], room: int) -> int:
    """The size to take: an exact fit, else the oldest that fits, else the shortest there is."""
    if room < len(queues) and queues[room]:
        return room
    fitting = [size for size in range(1, min(room, len(queues) - 1) + 1) if queues[size]]
    if fitting:
        return min(fitting, key=lambda size: queues[size][0])
    return next(size for size in range(room + 1, len(queues)) if queues[size])


def sequence_rows(window: np.ndarray, length: int) -> np.ndarray:
    """The rows of each sequence of a pack.

    Args:
      window: int [R], number of each row's window, contiguous.
      length: T.

    Returns:
      int32 [R // 2, T], rows in time order, -1 where there is none; windows of one study are no
      sequence.
    """
    rows = np.full((len(window) // 2, length), -1, np.int32)
    number = 0
    for each in range(int(window[-1]) + 1):
        members = np.flatnonzero(window == each)
        if len(members) > 1:
            rows[number, : len(members)] = members
            number += 1
    return rows
