# SPDX-License-Identifier: Apache-2.0
"""Opens large text files, plain or gzipped, to be read piece by piece."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import IO

from etils import epath

from medst_jax.data_pipelines.bounded_reading import UnpackingFile


@contextlib.contextmanager
def open_bytes(path: epath.Path) -> Iterator[IO[bytes]]:
    """The content of a file, unpacked when its name ends in .gz or .tgz.

    Reading raises `TooLong` where a packed file grows far more than text packs.
    """
    with path.open("rb") as file:
        if path.suffix in (".gz", ".tgz"):
            yield io.BufferedReader(UnpackingFile(file))  # type: ignore[type-var]
        else:
            yield file
