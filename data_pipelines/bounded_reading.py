# SPDX-License-Identifier: Apache-2.0
"""Reads files that are not longer than they should be, packed ones by what they unpack to.

Two megabytes of zeros packed become two gigabytes. Text packs to a tenth, tables of codes to a
fiftieth: what unpacks to much more than that is refused before it has been unpacked.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import zlib
from typing import IO

MAX_TEXT_BYTES = 1 << 30
_MOST_EXPANSION = 200
_ALWAYS_ALLOWED = 1 << 26
_PIECE = 1 << 20


class TooLong(ValueError):
    """Bytes beyond a limit; the message goes on after the name of what has them."""


def read_file(path: str | os.PathLike[str], limit: int = MAX_TEXT_BYTES) -> bytes:
    """The bytes of a local file.

    Raises:
      TooLong: more than `limit` bytes. OSError: unreadable, or not a file but a pipe or device.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError("not a regular file")
        _check(status.st_size, limit)
        return file.read()


def _without_waiting(path: str, flags: int) -> int:
    """Opens a file; a pipe that nobody writes to does not hold the reader up."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def unpack(packed: bytes, limit: int = MAX_TEXT_BYTES) -> bytes:
    """The content of gzip bytes.

    Raises:
      TooLong: more than `limit` bytes, or far more than text packs. OSError, EOFError or
        zlib.error: not whole gzip data.
    """
    size = len(packed) * _MOST_EXPANSION
    with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
        return _read(file, min(limit, max(size, _ALWAYS_ALLOWED)))


def check_raw_deflate(packed: bytes, limit: int) -> None:
    """Raises TooLong when raw deflate data has more than `limit` bytes; keeps none of them."""
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    rest, size = packed, 0
    while rest and not unpacker.eof:
        size += len(unpacker.decompress(rest, _PIECE))
        _check(size, limit)
        rest = unpacker.unconsumed_tail


class UnpackingFile(io.RawIOBase):
    """The content of a gzip file as a stream, for files that do not fit into memory.

    Reading raises TooLong where it has grown far more than text packs.
    """

    def __init__(self, packed: IO[bytes]) -> None:
        self._packed = packed
        self._content = gzip.GzipFile(fileobj=packed)
        self._size = 0

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """Fills a buffer with what comes next; its number of bytes."""
        data = self._content.read(min(len(buffer), _PIECE))
        self._size += len(data)
        _check(self._size, max(self._packed.tell() * _MOST_EXPANSION, _ALWAYS_ALLOWED))
        buffer[: len(data)] = data
        return len(data)


def _read(file: gzip.GzipFile, limit: int) -> bytes:
    pieces, size = [], 0
    while piece := file.read(_PIECE):
        size += len(piece)
        _check(size, limit)
        pieces.append(piece)
    return b"".join(pieces)


def _check(size: int, limit: int) -> None:
    if size > limit:
        raise TooLong(f"has more than {limit >> 20} MiB")
