# SPDX-License-Identifier: Apache-2.0
"""A perceptual hash of radiographs, and the search for equal or nearly equal ones.

Whether brightness rises or falls between neighbouring cells of a coarse grid hardly changes when
an image is scaled, compressed again or given another contrast (a difference hash). 256 bits tell
chest radiographs apart; the usual 64 do not, for all of them look much alike.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

SIDE = 16  # cells a side, which makes SIDE * SIDE bits
WORDS = SIDE * SIDE // 16
# Two hashes this close differ in at most one bit of at least one of _BANDS bands of 32 bits.
# Of NIH ChestX-ray14, images scaled to 3/4 and compressed again are 6 bits from themselves in the
# median and 16 at the 99th percentile; images of different patients are at least 22 apart.
RADIUS = 15
_BANDS = (RADIUS + 1) // 2
_FLIPS = (np.uint32(0), *(np.uint32(1 << bit) for bit in range(SIDE * SIDE // _BANDS)))
_BLOCK = 1 << 20  # candidates compared at a time, 64 bytes each


def hash_image(pixels: np.ndarray) -> np.ndarray:
    """uint16 [WORDS] of a grey image [H, W]."""
    cells = cv2.resize(pixels, (SIDE + 1, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    bits = np.diff(cells, axis=1) > 0
    return np.packbits(bits.ravel()).view(np.uint16)


def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Differing bits between hashes [..., WORDS]."""
    return np.bitwise_count(np.bitwise_xor(a, b)).sum(-1)


def has_near(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """bool [N]: whether a hash of `right` is at most RADIUS bits from each hash of `left`.

    The bits are dealt to _BANDS bands. Two hashes at most RADIUS = 2 * _BANDS - 1 bits apart differ in
    at most one bit of some band (pigeonhole), so candidates are looked up in sorted bands, once
    as they are and once with each bit flipped, and then compared in full. Time grows as
    N log M while hashes differ as those of different films do; memory holds a few times the hashes.
    After multi-index hashing (Norouzi, Punjani and Fleet 2012).

    Args:
      left: uint16 [N, WORDS].
      right: uint16 [M, WORDS].
    """
    near = np.zeros(len(left), bool)
    if not len(left) or not len(right):
        return near
    # Films of nothing (blank, black) are many and equal: each hash is looked up once.
    left, back = _distinct(left)
    right, _ = _distinct(right)
    near = np.zeros(len(left), bool)
    for codes, targets in zip(_bands(left), _bands(right), strict=True):
        order = np.argsort(targets)
        values, first, counts = np.unique(targets[order], return_index=True, return_counts=True)
        for flip in _FLIPS:
            asked = np.flatnonzero(~near)
            wanted = codes[asked] ^ flip
            place = np.minimum(np.searchsorted(values, wanted), len(values) - 1)
            hit = values[place] == wanted
            asked, place = asked[hit], place[hit]
            for rows, group, offset in _expand(asked, place, counts):
                candidates = order[first[group] + offset]
                near[rows[distance(left[rows], right[candidates]) <= RADIUS]] = True
    return near[back]


def _distinct(hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different hashes as uint64 [n, WORDS / 4], and which of them each row is."""
    rows = np.ascontiguousarray(hashes).view(np.uint64)
    # Rows are compared as bytes, whatever their order means.
    _, index, back = np.unique(
        rows.view(f"V{rows.itemsize * rows.shape[1]}").ravel(),
        return_index=True,
        return_inverse=True,
    )
    return rows[index], back


def _bands(hashes: np.ndarray) -> Iterator[np.ndarray]:
    """The bits of each band as uint32 [n], band after band.

    A row of the grid gives two bits to each band, eight cells apart, and the next row is shifted:
    neighbouring cells often agree, and bits that agree tell hashes apart no better than one.
    """
    row, column = np.divmod(np.arange(SIDE * SIDE), SIDE)
    band = (column + 3 * row) % _BANDS
    octets = hashes.view(np.uint8)
    for k in range(_BANDS):
        code = np.zeros(len(hashes), np.uint32)
        for bit in np.flatnonzero(band == k).tolist():
            code <<= np.uint32(1)
            code |= (octets[:, bit // 8] >> np.uint8(7 - bit % 8)) & np.uint8(1)
        yield code


def _expand(
    rows: np.ndarray, groups: np.ndarray, counts: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Each row with each member of its group, as (row, group, number within it), _BLOCK at most."""
    ends = np.cumsum(counts[groups])
    total = int(ends[-1]) if len(ends) else 0
    for start in range(0, total, _BLOCK):
        pair = np.arange(start, min(start + _BLOCK, total))
        which = np.searchsorted(ends, pair, side="right")
        offset = pair - (ends[which] - counts[groups[which]])
        yield rows[which], groups[which], offset
