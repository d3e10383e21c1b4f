# SPDX-License-Identifier: Apache-2.0
"""Host randomness keyed by (seed, purpose, position): it never depends on workers or threads."""

import threading
import zlib

import numpy as np

_BLOCK_SIZE = 1024  # positions that share a generator in `uniforms`


def purpose_number(purpose: str) -> int:
    """A 32-bit number of a purpose's name, the same in every process and version."""
    return zlib.crc32(purpose.encode())


def generator(seed: int, purpose: str, position: int = 0) -> np.random.Generator:
    """The generator of one stream position; `seed` in [0, 2**32), `position` in [0, 2**64)."""
    # A counter-based generator: any key gives an independent sequence, so no seed is mixed by hand.
    key = (seed << 96) | (purpose_number(purpose) << 64) | position
    return np.random.Generator(np.random.Philox(key=key))


class _ThreadGenerator(threading.local):
    """This thread's Philox generator, and a state of it whose key is replaced."""

    def __init__(self) -> None:
        bits = np.random.Philox(key=0)
        self.rng, self.state = np.random.Generator(bits), bits.state
        self.key = self.state["state"]["key"]


_THREAD_GENERATOR = _ThreadGenerator()


def reused_generator(seed: int, purpose: str, position: int) -> np.random.Generator:
    """`generator` for use at once: the next call in this thread returns the same, with another key.

    Making a generator takes several times as long as a number from it, because numpy asks the
    operating system for a seed that the key then replaces; an input needs one or more per example.
    """
    reused = _THREAD_GENERATOR
    reused.key[0] = position
    reused.key[1] = (seed << 32) | purpose_number(purpose)
    reused.rng.bit_generator.state = reused.state
    return reused.rng


def uniforms(seed: int, purpose: str, positions: np.ndarray) -> np.ndarray:
    """A number in [0, 1) for each stream position, float64 [B], whatever positions lie beside it.

    They come in blocks of the stream, so that a batch needs a generator or two.
    """
    blocks, places = np.divmod(positions, _BLOCK_SIZE)
    values = np.empty(len(positions))
    for block in np.unique(blocks).tolist():
        bits = generator(seed, f"{purpose} in blocks", block).bit_generator
        # Raw numbers: they stay the same in later versions of numpy.
        raw = np.asarray(bits.random_raw(_BLOCK_SIZE))  # type: ignore[attr-defined]
        here = blocks == block
        # The upper 53 bits as a fraction: every float64 multiple of 2**-53 is equally likely.
        values[here] = (raw[places[here]] >> np.uint64(11)) * 2.0**-53
    return values


def rotation(count: int, seed: int, purpose: str) -> np.ndarray:
    """A random permutation int64 [count] that is one cycle: nothing stays in its place.

    Raises:
      ValueError: fewer than two things to permute.
    """
    if count < 2:
        raise ValueError(f"cannot shuffle {count} studies: at least two are needed")
    # A random order read as a ring: each place gets what stands at the next one.
    order = generator(seed, purpose).permutation(count)
    successor = np.empty(count, np.int64)
    successor[order] = np.roll(order, -1)
    return successor
