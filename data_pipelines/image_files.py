# SPDX-License-Identifier: Apache-2.0
"""Reads a source image: JPEG, PNG (8 or 16 bit) or DICOM, told apart by their first bytes."""

from __future__ import annotations

import io
import os
from functools import partial

import numpy as np
import simplejpeg
from PIL import Image

from medst_jax.data_pipelines import dicom
from medst_jax.data_pipelines.source_image import SourceImage, UnreadableImage, check_size

__all__ = ["SourceImage", "UnreadableImage", "bit_depth", "decode", "read_bytes", "resolve"]


def read_bytes(source_dir: str, path: str) -> bytes:
    """Bytes of `path` inside `source_dir`; raises UnreadableImage if missing or outside."""
    full = resolve(source_dir, path)
    try:
        with open(full, "rb") as file:
            return file.read()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UnreadableImage("missing file") from error
    except OSError as error:
        raise UnreadableImage("file cannot be read") from error


def resolve(source_dir: str, path: str) -> str:
    """The real path, after symbolic links; raises UnreadableImage when it leaves the folder."""
    root = os.path.realpath(source_dir)
    try:
        full = os.path.realpath(os.path.join(root, path))
    except ValueError as error:
        raise UnreadableImage("malformed path") from error
    if os.path.commonpath([root, full]) != root:
        raise UnreadableImage("path leaves the source folder")
    return full


def decode(data: bytes, *, voi_lut: bool = False) -> SourceImage:
    """Decodes one file; `voi_lut` applies a DICOM file's VOI LUT or window.

    Raises:
      UnreadableImage: truncated, damaged or of an unknown format.
    """
    for kind, matches, reader in (
        ("JPEG", data[:2] == b"\xff\xd8", _jpeg),
        ("PNG", data[:8] == b"\x89PNG\r\n\x1a\n", _png),
        ("DICOM", data[128:132] == b"DICM", partial(dicom.read_pixels, voi_lut=voi_lut)),
    ):
        if matches:
            try:
                return reader(data)
            except UnreadableImage:
                raise
            # Decoders raise whatever the damage leads to; one bad file must not end a build.
            except Exception as error:
                raise UnreadableImage(f"unreadable {kind}") from error
    raise UnreadableImage("empty file" if not data else "not a JPEG, PNG or DICOM file")


def bit_depth(head: bytes) -> int:
    """Bits per pixel value announced by the first bytes of a PNG or JPEG; 16 for DICOM."""
    if head[:8] == b"\x89PNG\r\n\x1a\n" and len(head) > 24:
        return head[24]
    return 16 if head[128:132] == b"DICM" else 8


def _jpeg(data: bytes) -> SourceImage:
    height, width, colours = simplejpeg.decode_jpeg_header(data)[:3]
    check_size(height, width)
    grey = colours.lower() == "gray"
    pixels = simplejpeg.decode_jpeg(data, colorspace="GRAY")[:, :, 0]
    return SourceImage(pixels, jpeg=data if grey else None)


def _png(data: bytes) -> SourceImage:
    with Image.open(io.BytesIO(data)) as image:
        check_size(image.height, image.width)
        image.load()
        if image.mode in ("I;16", "I;16B", "I"):
            return SourceImage(np.asarray(image).astype(np.uint16))
        return SourceImage(np.asarray(image.convert("L")))
