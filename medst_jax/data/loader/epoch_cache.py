# SPDX-License-Identifier: Apache-2.0
"""What is made once per epoch of a data set, and kept while readers are in that epoch."""

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

Made = TypeVar("Made")
_KEPT = 2  # epochs: reading ahead, threads seldom meet more than two


class KeptEpochs(Generic[Made]):
    """Epoch number -> what `make` makes of it, made when first met.

    Safe in threads; copies for worker processes start empty.
    """

    def __init__(self, make: Callable[[int], Made]) -> None:
        self._make = make
        self._kept: dict[int, Made] = {}
        self._making = threading.Lock()

    def __call__(self, number: int) -> Made:
        """Of the epoch `number`."""
        found = self._kept.get(number)
        if found is not None:
            return found
        with self._making:
            if number not in self._kept:
                self._kept[number] = self._make(number)
            made = self._kept[number]
            # A data set smaller than a batch has readers in several epochs: the latest stay.
            for old in sorted(self._kept)[:-_KEPT]:
                del self._kept[old]
            return made

    def __getstate__(self) -> dict[str, Any]:
        return {"_make": self._make}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _kept={}, _making=threading.Lock())
