# SPDX-License-Identifier: Apache-2.0
"""What a picture file may ask for: pixels and scans are counted before anything is decoded.

A file of some hundred kilobytes can claim more pixels than a machine has memory for, or have the
decoder go over them a thousand times. Radiographs have 4 to 30 megapixels, and progressive files
some 10 scans.
"""

import struct

import simplejpeg

MAX_MEGAPIXELS = 36
MAX_SCANS = 100
JPEG, PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
_START_OF_SCAN = b"\xff\xda"
# Frames that are decoded in one go when they have one channel: baseline and extended sequential.
_SEQUENTIAL = (0xC0, 0xC1)
_FRAMES = frozenset((*range(0xC0, 0xD0), 0xF7)) - {0xC4, 0xC8, 0xCC}


class TooLarge(ValueError):
    """A picture without pixels, with too many of them or with too many scans."""


def check_pixels(height: int, width: int) -> None:
    """Raises TooLarge for a picture without pixels or with more than MAX_MEGAPIXELS."""
    if height < 1 or width < 1:
        raise TooLarge("image without pixels")
    if height * width > MAX_MEGAPIXELS * 10**6:
        raise TooLarge(f"image of more than {MAX_MEGAPIXELS} megapixels")


def check_scans(data: bytes | memoryview) -> None:
    """Raises TooLarge for a JPEG of more than MAX_SCANS scans.

    Inside a scan the marker of another cannot occur, and elsewhere hardly by chance.
    """
    if not _one_grey_scan(data) and bytes(data).count(_START_OF_SCAN) > MAX_SCANS:
        raise TooLarge(f"JPEG of more than {MAX_SCANS} scans")


def check_file(data: bytes | memoryview) -> None:
    """Raises TooLarge for JPEG or PNG bytes that ask for too much, ValueError without a header."""
    if data[:2] == JPEG:
        check_scans(data)
        check_pixels(*simplejpeg.decode_jpeg_header(data)[:2])
    elif data[:8] == PNG:
        check_pixels(*png_size(data))


def png_size(data: bytes | memoryview) -> tuple[int, int]:
    """(height, width) of PNG bytes; raises ValueError when they are cut or begin with another chunk."""
    if len(data) < 24 or data[12:16] != b"IHDR":
        raise ValueError("PNG without a header")
    width, height = struct.unpack(">II", data[16:24])
    return height, width


def jpeg_frame(data: bytes | memoryview) -> tuple[int, int, int, int] | None:
    """(marker, height, width, channels) of a JPEG's frame header; None where none is in its place.

    Reads JPEG-LS as well.
    """
    at = 2
    while at + 10 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _FRAMES:
            height, width, channels = struct.unpack(">HHB", data[at + 5 : at + 10])
            return marker, height, width, channels
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _one_grey_scan(data: bytes | memoryview) -> bool:
    """Whether a JPEG begins like the common grey one, of which decoders read the first scan only."""
    frame = jpeg_frame(data)
    return frame is not None and frame[0] in _SEQUENTIAL and frame[3] == 1
