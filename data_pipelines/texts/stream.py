# SPDX-License-Identifier: Apache-2.0
"""Opens large text files, plain or gzipped, to be read piece by piece."""

from __future__ import annotations

import contextlib
import gzip
import io
from collections.abc import Iterator
from typing import IO

from etils import epath


@contextlib.contextmanager
def open_bytes(path: epath.Path) -> Iterator[IO[bytes]]:
    """The content of a file, unpacked when its name ends in .gz."""
    with path.open("rb") as file:
        if path.suffix != ".gz":
            yield file
            return
        with gzip.GzipFile(fileobj=file) as unpacked:
            yield io.BufferedReader(unpacked)  # type: ignore[arg-type]
