# SPDX-License-Identifier: Apache-2.0
"""What a DICOM file may unpack to, checked before pydicom or a decoder unpacks it.

A frame's own header is what its decoder believes: it must ask for the size that the file gives.
"""

from __future__ import annotations

import contextlib
import io
import re
import struct
from typing import Any

from medst_jax.data.images import limits
from medst_jax.data_pipelines.bounded_reading import TooLong, check_raw_deflate
from medst_jax.data_pipelines.source_image import UnreadableImage

# 16 bits a pixel of the largest picture, and room for the other tags.
_MAX_DATASET_BYTES = 2 * limits.MAX_MEGAPIXELS * 10**6 + (1 << 24)
_MOST_CHANNELS = 4
_MOST_TILES = 1 << 12
_WAVELET = b"\xff\x4f\xff\x51"  # a JPEG 2000 codestream begins so, its sizes follow
_LONG_RUNS = 1 << 21
_RLE_HEADER = 64


def check_inflation(data: bytes) -> None:
    """Raises UnreadableImage for a deflated file of more than any picture holds.

    Args:
      data: with the prefix DICM.
    """
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    if DeflatedExplicitVRLittleEndian.encode() not in data:
        return
    # pydicom reads the file's own header by either encoding; whichever it settles on is checked.
    for implicit in (False, True):
        syntax, start = "", 0
        # The parser raises whatever the damage or the wrong encoding leads to.
        with contextlib.suppress(Exception):
            syntax, start = _transfer_syntax(data, implicit)
        if syntax == DeflatedExplicitVRLittleEndian:
            try:
                check_raw_deflate(data[start:], _MAX_DATASET_BYTES)
            except TooLong as error:
                raise UnreadableImage(f"deflated DICOM {error}") from error


def _transfer_syntax(data: bytes, implicit: bool) -> tuple[str, int]:
    """The transfer syntax of a file, and where its dataset begins."""
    from pydicom.filereader import read_dataset

    file = io.BytesIO(data)
    file.seek(132)
    meta = read_dataset(file, implicit, True, stop_when=lambda tag, *_: tag >> 16 != 2)
    return str(meta.get("TransferSyntaxUID", "")), file.tell()


def check_frame(dataset: Any) -> None:
    """Raises UnreadableImage for a compressed frame that is larger than Rows and Columns say.

    Args:
      dataset: the parsed file, of one compressed frame.
    """
    from pydicom.encaps import get_frame
    from pydicom.uid import RLELossless

    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    size = int(dataset.Rows), int(dataset.Columns)
    if dataset.file_meta.TransferSyntaxUID == RLELossless:
        _check_runs(frame, size[0] * size[1])
        return
    limits.check_scans(frame)
    if any(shape != size for shape in _frame_sizes(frame)):
        raise UnreadableImage("DICOM frame is of another size than its header says")


def _frame_sizes(frame: bytes) -> list[tuple[int, int]]:
    """(height, width) that a JPEG or JPEG 2000 frame gives itself, in one or, wrapped, more places.

    Raises:
      UnreadableImage: neither of them.
    """
    if frame[:2] == limits.JPEG:
        header = limits.jpeg_frame(frame)
        sizes = [] if header is None else [header[1:3]]
    else:
        sizes = [_wavelet_size(frame, shape.start()) for shape in re.finditer(_WAVELET, frame)]
    if not sizes:
        raise UnreadableImage("unreadable DICOM frame")
    return sizes


def _wavelet_size(frame: bytes, start: int) -> tuple[int, int]:
    right, below, left, top, across, down = struct.unpack_from(">6I", frame, start + 8)
    channels = struct.unpack_from(">H", frame, start + 40)[0]
    height, width = below - top, right - left
    limits.check_pixels(height, width)
    tiles = -(-width // max(across, 1)) * -(-height // max(down, 1))
    if channels > _MOST_CHANNELS or not across or not down or tiles > _MOST_TILES:
        raise UnreadableImage("DICOM frame of too many channels or tiles")
    return height, width


def _check_runs(frame: bytes, pixels: int) -> None:
    """Run lengths of each byte plane must not unpack to more than the picture's pixels."""
    count = struct.unpack_from("<I", frame)[0]
    starts = struct.unpack_from("<15I", frame, 4)[: min(count, 15)]
    for start, end in zip(starts, [*starts[1:], len(frame)], strict=True):
        segment = frame[start:end]
        # Literal runs add a byte to 128; a segment is padded to an even length.
        longest = pixels + pixels // 64 + _RLE_HEADER
        if len(segment) > longest or (len(segment) > _LONG_RUNS and _unpacked(segment, longest)):
            raise UnreadableImage("DICOM run lengths are of more pixels than the header says")


def _unpacked(segment: bytes, limit: int) -> bool:
    """Whether the runs of a segment (PackBits) unpack to more than `limit` bytes."""
    at = size = 0
    while at < len(segment) and size <= limit:
        head = segment[at]
        literal = head < 128
        size += head + 1 if literal else 257 - head
        at += head + 2 if literal else 2
    return size > limit
