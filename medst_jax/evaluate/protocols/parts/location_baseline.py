# SPDX-License-Identifier: Apache-2.0
"""Where a finding usually is: maps that know the words of a sentence and no image.

What they reach is what a grounding score owes to anatomy and to words such as "left" or "base".
"""

import re
from collections.abc import Iterable

import numpy as np

SIDES = {"left": r"\bleft\b", "right": r"\bright\b", "both": r"\bbilateral|\bboth\b"}
ZONES = {
    "upper": r"\bupper|\bapical|\bapex",
    "middle": r"\bmid\b|\bmiddle|\bhilar|\bperihilar",
    "lower": r"\blower|\bbas(e|es|al|ilar)\b|\bcostophrenic",
}

Place = tuple[str, str, str]  # finding, side, zone; "" where the sentence does not say


def place(finding: str, text: str) -> Place:
    """Finding, side and zone of a sentence.

    >>> place("Pleural Effusion", "Small left basal effusion.")
    ('Pleural Effusion', 'left', 'lower')
    """
    return finding, _first(SIDES, text.lower()), _first(ZONES, text.lower())


def _first(patterns: dict[str, str], text: str) -> str:
    return next((name for name, pattern in patterns.items() if re.search(pattern, text)), "")


class LocationBaseline:
    """The mean box of training phrases of the same finding, side and zone.

    Where no training phrase has all three, side and finding decide, then the finding alone.
    """

    def __init__(self, phrases: Iterable[tuple[Place, np.ndarray]], size: int):
        """phrases: places and box masks bool [size, size]."""
        self._sums: dict[Place, np.ndarray] = {}
        self._counts: dict[Place, int] = {}
        self._size = size
        for where, mask in phrases:
            for key in _keys(where):
                self._sums[key] = self._sums.get(key, 0.0) + mask.astype(np.float32)
                self._counts[key] = self._counts.get(key, 0) + 1

    def without(self, phrases: Iterable[tuple[Place, np.ndarray]]) -> "LocationBaseline":
        """The baseline as if these phrases, which are among its own, were not."""
        left = LocationBaseline((), self._size)
        left._sums, left._counts = dict(self._sums), dict(self._counts)
        for where, mask in phrases:
            for key in _keys(where):
                left._sums[key] = left._sums[key] - mask.astype(np.float32)
                left._counts[key] -= 1
                if not left._counts[key]:
                    del left._sums[key], left._counts[key]
        return left

    def __call__(self, where: Place) -> np.ndarray:
        """float32 [size, size]: how often each pixel lay in a box; zero for unknown findings."""
        for key in _keys(where):
            if key in self._sums:
                return self._sums[key] / self._counts[key]
        return np.zeros((self._size, self._size), np.float32)


def _keys(where: Place) -> tuple[Place, ...]:
    finding, side, _ = where
    return tuple(dict.fromkeys([where, (finding, side, ""), (finding, "", "")]))


def centre_map(size: int) -> np.ndarray:
    """A Gaussian at the centre, a quarter of the side wide, float32 [size, size]."""
    axis = (np.arange(size) + 0.5) / size - 0.5
    squared = axis[:, None] ** 2 + axis[None, :] ** 2
    return np.exp(-squared / (2 * 0.25**2)).astype(np.float32)
