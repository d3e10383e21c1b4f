# SPDX-License-Identifier: Apache-2.0
"""Stored image bytes to the square grey uint8 images that a batch holds; host side."""

import io

import cv2
import numpy as np
import simplejpeg
from PIL import Image

from medst_jax.data.images import Fit
from medst_jax.data.images.limits import JPEG, check_file, check_scans

# The pipeline parallelises over examples: more threads inside one resize only get in the way.
cv2.setNumThreads(0)


def decode(data: bytes | memoryview) -> np.ndarray:
    """Decode JPEG or PNG bytes to a grey image, uint8 [height, width].

    16-bit images are scaled by their own range of values, minimum to 0 and maximum to 255.

    Raises:
      ValueError: the bytes are no image, are cut short, or ask for more than `limits` allow.
    """
    try:
        check_file(data)
    except ValueError as error:
        raise ValueError(f"not a readable image ({len(data)} bytes): {error}") from error
    if data[:2] == JPEG:
        # Faster than Pillow, which reads what this decoder does not.
        decoded = _decoded(data, None)
        if decoded is not None:
            return decoded[..., 0]
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            image.load()
            pixels = np.asarray(image if image.mode.startswith("I") else image.convert("L"))
    # Pillow raises whatever the damage leads to.
    except Exception as error:
        raise ValueError(f"not a readable image ({len(data)} bytes): {error}") from error
    return pixels if pixels.dtype == np.uint8 else by_range(pixels)


def is_jpeg_of(data: bytes, size: int) -> bool:
    """Whether the bytes begin like a JPEG of `size` by `size` pixels, in no more scans than usual."""
    if data[:2] != JPEG:
        return False
    try:
        height, width, *_ = simplejpeg.decode_jpeg_header(data)
        check_scans(data)
    except ValueError:  # `decode` knows what to make of it
        return False
    return bool(height == size and width == size)


def decode_jpeg(data: bytes | memoryview, out: np.ndarray) -> bool:
    """Decode a JPEG where it is to be: into `out`, uint8 [height, width, 1] of its own size.

    Returns:
      Whether it could be decoded so; if not, `decode` may.

    Raises:
      ValueError: the bytes are cut short.
    """
    return _decoded(data, out) is not None


def _decoded(data: bytes | memoryview, out: np.ndarray | None) -> np.ndarray | None:
    """uint8 [height, width, 1]; None where another decoder may read it."""
    try:
        decoded: np.ndarray = simplejpeg.decode_jpeg(data, colorspace="GRAY", buffer=out)
    except ValueError as error:
        if "truncated" in str(error).lower() or "premature" in str(error).lower():
            raise ValueError(f"damaged JPEG of {len(data)} bytes: {error}") from error
        return None
    return decoded


def by_range(pixels: np.ndarray) -> np.ndarray:
    """Scale values of any type to uint8 by their own minimum and maximum; a constant gives 0."""
    values = pixels.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    # The least width keeps a constant image from a division by zero.
    return np.round((values - low) * (255.0 / max(high - low, 1e-6))).astype(np.uint8)


def fit_square(pixels: np.ndarray, size: int, fit: Fit) -> np.ndarray:
    """A grey image uint8 [height, width] as a square, uint8 [size, size, 1].

    "pad" scales the longer side to `size` and centres the image on zeros; "crop" scales the
    shorter side to `size` and keeps the centre; "stretch" scales either side to `size` and loses the
    aspect. Shrinking averages areas (cv2 INTER_AREA).
    `fit_affine` maps coordinates likewise.
    """
    height, width = pixels.shape
    if height == size and width == size:
        return np.ascontiguousarray(pixels)[..., None]
    scaled_height, scaled_width, top, left = _placement(height, width, size, fit)
    shrinks = scaled_height < height or scaled_width < width
    scaled = cv2.resize(
        pixels,
        (scaled_width, scaled_height),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    if fit == "crop":
        return np.ascontiguousarray(scaled[-top : size - top, -left : size - left])[..., None]
    square = np.zeros((size, size, 1), np.uint8)
    square[top : top + scaled_height, left : left + scaled_width, 0] = scaled
    return square


def fit_affine(height: int, width: int, size: int, fit: Fit) -> np.ndarray:
    """The map of `fit_square` from image to square coordinates, float64 [2, 3].

    Acts on (x, y, 1) in pixel-edge coordinates: the first pixel spans 0 to 1.
    """
    scaled_height, scaled_width, top, left = _placement(height, width, size, fit)
    return np.array([[scaled_width / width, 0.0, left], [0.0, scaled_height / height, top]])


def _placement(height: int, width: int, size: int, fit: Fit) -> tuple[int, int, int, int]:
    if fit == "stretch":
        return size, size, 0, 0
    side = max(height, width) if fit == "pad" else min(height, width)
    scaled_height = max(1, round(height * size / side))
    scaled_width = max(1, round(width * size / side))
    # Floor division: negative offsets (crop) stay whole pixels, and never exceed the image.
    return scaled_height, scaled_width, (size - scaled_height) // 2, (size - scaled_width) // 2
