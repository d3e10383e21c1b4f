# SPDX-License-Identifier: Apache-2.0
"""Host randomness keyed by (seed, purpose, position), so that draws never depend on workers."""

import threading
import zlib

import numpy as np

_BLOCK = 1024  # positions of one generator of `uniforms`


def purpose_number(purpose: str) -> int:
    """A 32-bit number of a purpose's name, the same in every process and version."""
    return zlib.crc32(purpose.encode())


def generator(seed: int, purpose: str, position: int = 0) -> np.random.Generator:
    """The generator of one stream position; `seed` in [0, 2**32), `position` in [0, 2**64)."""
    key = (seed << 96) | (purpose_number(purpose) << 64) | position
    return np.random.Generator(np.random.Philox(key=key))


class _Reused(threading.local):
    """This thread's Philox generator, and a state of it whose key is replaced."""

    def __init__(self) -> None:
        bits = np.random.Philox(key=0)
        self.draws, self.state = np.random.Generator(bits), bits.state
        self.key = self.state["state"]["key"]


_REUSED = _Reused()


def reused_generator(seed: int, purpose: str, position: int) -> np.random.Generator:
    """`generator` for draws made at once: it is this thread's next one too, with another key.

    Making a generator takes several times as long as a draw, because numpy asks the operating
    system for a seed that the key then replaces; an input draws once or more per example.
    """
    reused = _REUSED
    reused.key[0] = position
    reused.key[1] = (seed << 32) | purpose_number(purpose)
    reused.draws.bit_generator.state = reused.state
    return reused.draws


def uniforms(seed: int, purpose: str, positions: np.ndarray) -> np.ndarray:
    """A number in [0, 1) for each stream position, float64 [B], whatever positions lie beside it.

    They come in blocks of the stream, so that a batch needs a generator or two.
    """
    blocks, places = np.divmod(positions, _BLOCK)
    drawn = np.empty(len(positions))
    for block in np.unique(blocks).tolist():
        bits = generator(seed, f"{purpose} in blocks", block).bit_generator
        # Raw numbers: they stay the same in later versions of numpy.
        raw = np.asarray(bits.random_raw(_BLOCK))  # type: ignore[attr-defined]
        here = blocks == block
        drawn[here] = (raw[places[here]] >> np.uint64(11)) * 2.0**-53
    return drawn


def rotation(count: int, seed: int, purpose: str) -> np.ndarray:
    """A random permutation int64 [count] that is one cycle: nothing stays in its place.

    Raises:
      ValueError: fewer than two things to permute.
    """
    if count < 2:
        raise ValueError(f"cannot shuffle {count} studies: at least two are needed")
    order = generator(seed, purpose).permutation(count)
    moved = np.empty(count, np.int64)
    moved[order] = np.roll(order, -1)
    return moved
