# SPDX-License-Identifier: Apache-2.0
"""Reads a source image: JPEG, PNG (8 or 16 bit) or DICOM, told apart by their first bytes.

An orientation that a camera or scanner noted in EXIF is applied, so that boxes and views mean
the picture that viewers show.
"""

from __future__ import annotations

import io
import os
from functools import partial

import numpy as np
import simplejpeg
from PIL import ExifTags, Image, ImageOps

from medst_jax.data.images import limits
from medst_jax.data_pipelines import dicom
from medst_jax.data_pipelines.bounded_reading import TooLong, read_file
from medst_jax.data_pipelines.source_image import SourceImage, UnreadableImage

_UPRIGHT = 1  # of EXIF's eight orientations
_LYING = (5, 6, 7, 8)  # those that change width and height

__all__ = ["SourceImage", "UnreadableImage", "bit_depth", "decode", "read_bytes", "resolve"]

MISSING_FILE = "missing file"
# Without compression, the largest picture that is read has half as much.
_MAX_FILE_BYTES = 1 << 28
_FORMATS = ("JPEG", "PNG")


def read_bytes(source_dir: str, path: str) -> bytes:
    """Bytes of `path` inside `source_dir`; raises UnreadableImage if missing, outside or too long."""
    full = resolve(source_dir, path)
    try:
        return read_file(full, _MAX_FILE_BYTES)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UnreadableImage(MISSING_FILE) from error
    except TooLong as error:
        raise UnreadableImage(f"file {error}") from error
    except OSError as error:
        raise UnreadableImage("file cannot be read") from error


def resolve(source_dir: str, path: str) -> str:
    """The real path, after symbolic links; raises UnreadableImage when it leaves the folder.

    A folder inside may be a link to another disk, as `files/` of a large download often is: what
    lies below it is inside. A file that is itself a link to somewhere else is not.
    """
    root = os.path.realpath(source_dir)
    try:
        lexical = os.path.normpath(os.path.join(root, path))
        full = os.path.realpath(lexical)
        roots = [root, *_linked_folders(root, lexical)]
    except ValueError as error:
        raise UnreadableImage("malformed path") from error
    if os.path.commonpath([root, lexical]) != root:
        lexical = full  # written through another link to the folder
    inside = os.path.commonpath([root, lexical]) == root
    if not inside or all(os.path.commonpath([top, full]) != top for top in roots):
        raise UnreadableImage("path leaves the source folder")
    return full


def _linked_folders(root: str, lexical: str) -> list[str]:
    """The real folders behind those links between the root and a path that are folders."""
    folders = []
    folder = os.path.dirname(lexical)
    while len(folder) > len(root):
        if os.path.islink(folder):
            folders.append(os.path.realpath(folder))
        folder = os.path.dirname(folder)
    return folders


def decode(data: bytes, *, voi_lut: bool = False) -> SourceImage:
    """Decodes one file; `voi_lut` applies a DICOM file's VOI LUT or window.

    Raises:
      UnreadableImage: truncated, damaged, of an unknown format or of one grey value.
    """
    for kind, matches, reader in (
        ("JPEG", data[:2] == b"\xff\xd8", _jpeg),
        ("PNG", data[:8] == b"\x89PNG\r\n\x1a\n", _png),
        ("DICOM", data[128:132] == b"DICM", partial(dicom.read_pixels, voi_lut=voi_lut)),
    ):
        if matches:
            try:
                image = reader(data)
            except UnreadableImage:
                raise
            except limits.TooLarge as error:
                raise UnreadableImage(str(error)) from error
            # Decoders raise whatever the damage leads to; one bad file must not end a build.
            except Exception as error:
                raise UnreadableImage(f"unreadable {kind}") from error
            if image.pixels.min() == image.pixels.max():
                raise UnreadableImage("image of one grey value")
            return image
    raise UnreadableImage("empty file" if not data else "not a JPEG, PNG or DICOM file")


def read_size(data: bytes) -> tuple[int, int]:
    """(width, height) that a file's header gives, its orientation applied.

    Raises:
      UnreadableImage: no header that can be read.
    """
    if data[128:132] == b"DICM":
        return dicom.read_size(data)
    try:
        limits.check_file(data)
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            lying = image.getexif().get(ExifTags.Base.Orientation, _UPRIGHT) in _LYING
            return (image.height, image.width) if lying else (image.width, image.height)
    except limits.TooLarge as error:
        raise UnreadableImage(str(error)) from error
    # Pillow raises whatever the damage leads to; one bad file must not end a build.
    except Exception as error:
        raise UnreadableImage("unreadable image header") from error


def bit_depth(head: bytes) -> int:
    """Bits per pixel value announced by the first bytes of a PNG or JPEG; 16 for DICOM."""
    if head[:8] == b"\x89PNG\r\n\x1a\n" and len(head) > 24:
        return head[24]
    return 16 if head[128:132] == b"DICM" else 8


def _jpeg(data: bytes) -> SourceImage:
    limits.check_file(data)
    colours = simplejpeg.decode_jpeg_header(data)[2]
    pixels = simplejpeg.decode_jpeg(data, colorspace="GRAY")[:, :, 0]
    with Image.open(io.BytesIO(data), formats=_FORMATS) as image:  # reads the header alone
        orientation = image.getexif().get(ExifTags.Base.Orientation, _UPRIGHT)
    if orientation == _UPRIGHT:
        return SourceImage(pixels, jpeg=data if colours.lower() == "gray" else None)
    # The file's own bytes would be read as they lie by whoever decodes them later.
    lying = Image.fromarray(pixels)
    lying.getexif()[ExifTags.Base.Orientation] = orientation
    return SourceImage(np.asarray(ImageOps.exif_transpose(lying)))


def _png(data: bytes) -> SourceImage:
    limits.check_file(data)
    with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        image.load()
        upright = ImageOps.exif_transpose(image)
        if upright.mode in ("I;16", "I;16B", "I"):
            return SourceImage(np.asarray(upright).astype(np.uint16))
        return SourceImage(np.asarray(upright.convert("L")))
