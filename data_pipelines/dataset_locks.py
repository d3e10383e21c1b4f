# SPDX-License-Identifier: Apache-2.0
"""One preparation of a data set at a time: others wait for its end, and then find it complete."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from etils import epath

from medst_jax.files.locks import locked

LOCKS = ".locks"


@contextlib.contextmanager
def locked_datasets(data_dir: epath.PathLike, names: Iterable[str]) -> Iterator[None]:
    """Hold the locks of data sets, or of other things that are prepared, by name.

    All take them in the order of names, so that no two wait for one another.
    """
    folder = epath.Path(data_dir) / LOCKS
    with contextlib.ExitStack() as stack:
        for name in sorted(set(names)):
            stack.enter_context(
                locked(
                    folder / f"{name}.lock", f"the preparation of {name} in {data_dir}", wait=True
                )
            )
        yield
