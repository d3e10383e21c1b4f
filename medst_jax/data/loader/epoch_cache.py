# SPDX-License-Identifier: Apache-2.0
"""A cache of what is computed once per epoch of a data set, such as its order."""

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")
_CAPACITY = 2  # epochs: reading ahead, threads seldom need more than two


class EpochCache(Generic[Value]):
    """Epoch number -> `compute(number)`, computed at the first request; the latest two stay.

    Safe in threads. A copy for a worker process starts empty.
    """

    def __init__(self, compute: Callable[[int], Value]) -> None:
        self._compute = compute
        self._values: dict[int, Value] = {}
        self._lock = threading.Lock()

    def __call__(self, number: int) -> Value:
        """The value of the epoch `number`."""
        # A hit needs no lock: every batch asks, and a dict's `get` is atomic.
        cached = self._values.get(number)
        if cached is not None:
            return cached
        with self._lock:
            # Another thread may have computed it while this one waited for the lock.
            if number not in self._values:
                self._values[number] = self._compute(number)
            value = self._values[number]
            # A data set smaller than a batch has readers in several epochs: the latest stay.
            for old in sorted(self._values)[:-_CAPACITY]:
                del self._values[old]
            return value

    def __getstate__(self) -> dict[str, Any]:
        # A lock cannot be pickled; a copy computes the values that it needs.
        return {"_compute": self._compute}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _values={}, _lock=threading.Lock())
