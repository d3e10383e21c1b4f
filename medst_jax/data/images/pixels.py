# SPDX-License-Identifier: Apache-2.0
"""Stored image bytes to the square grey uint8 images that a batch holds; host side."""

import io

import cv2
import numpy as np
import simplejpeg
from PIL import Image

from medst_jax.data.images import Decode, Fit
from medst_jax.data.images.limits import JPEG, check_file

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


def read_square(data: bytes | memoryview, size: int, fit: Fit, how: Decode) -> np.ndarray:
    """Encoded JPEG or PNG bytes as a square, uint8 [size, size, 1].

    "full" decodes every pixel and shrinks with `fit_square`. "scaled" has the JPEG decoder leave out
    the finest frequencies of its 8 x 8 blocks, down to the smallest of its eighths of the size
    that is no smaller than what is asked for, and shrinks the rest of the way: a quarter faster
    from 512 to 224 pixels, and on a radiograph half a grey level away on average. Blocks know
    nothing of each other, so a pattern too fine to be shown keeps .13 of its contrast, with "full"
    .09.

    Raises:
      ValueError: the bytes are no image, or are cut short.
    """
    shape = _jpeg_shape(data) if how == "scaled" else None
    if shape is None:
        return fit_square(decode(data), size, fit)
    height, width = _placement(*shape, size, fit)[:2]
    # A side that the decoder rounds up holds less of the image than its pixels say.
    rounds = int(any(side % 8 for side in shape))
    decoded = _decoded(data, None, (height + rounds, width + rounds))
    if decoded is None:
        return fit_square(decode(data), size, fit)
    pixels = decoded[..., 0]
    return _placed(pixels, shape, _scaled_shape(pixels, shape), size, fit)


def image_shape(data: bytes | memoryview) -> tuple[int, int]:
    """(height, width) in the header of JPEG or PNG bytes.

    Raises:
      ValueError: the bytes are no image.
    """
    shape = _jpeg_shape(data)
    if shape is not None:
        return shape
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.height, image.width
    except (OSError, SyntaxError) as error:
        raise ValueError(f"not a readable image ({len(data)} bytes): {error}") from error


def is_jpeg_of(data: bytes, size: int) -> bool:
    """Whether the bytes begin like a JPEG of `size` by `size` pixels, in no more scans than usual."""
    return _jpeg_shape(data) == (size, size)


def _jpeg_shape(data: bytes | memoryview) -> tuple[int, int] | None:
    """(height, width) of a JPEG within `limits`; None of other bytes, of which `decode` knows more."""
    if data[:2] != JPEG:
        return None
    try:
        check_file(data)
        height, width, *_ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    return int(height), int(width)


def decode_jpeg(data: bytes | memoryview, out: np.ndarray) -> bool:
    """Decode a JPEG where it is to be: into `out`, uint8 [height, width, 1] of its own size.

    Returns:
      Whether it could be decoded so; if not, `decode` may.

    Raises:
      ValueError: the bytes are cut short.
    """
    return _decoded(data, out) is not None


def _decoded(
    data: bytes | memoryview, out: np.ndarray | None, least: tuple[int, int] = (0, 0)
) -> np.ndarray | None:
    """uint8 [height, width, 1], no smaller than `least` where that is given; None where another
    decoder may read it."""
    try:
        decoded: np.ndarray = simplejpeg.decode_jpeg(
            data, colorspace="GRAY", buffer=out, min_height=least[0], min_width=least[1]
        )
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


def _scaled_shape(pixels: np.ndarray, shape: tuple[int, int]) -> tuple[float, float]:
    """(height, width) of an image of `shape` in `pixels`, of it scaled by eighths and rounded up."""
    eighths = next(
        k for k in range(1, 9) if tuple(-(-side * k // 8) for side in shape) == pixels.shape
    )
    return shape[0] * eighths / 8, shape[1] * eighths / 8


def fit_square(pixels: np.ndarray, size: int, fit: Fit) -> np.ndarray:
    """A grey image uint8 [height, width] as a square, uint8 [size, size, 1].

    "pad" scales the longer side to `size` and centres the image on zeros; "crop" scales the
    shorter side to `size` and keeps the centre; "stretch" scales either side to `size` and loses the
    aspect. Shrinking averages areas (cv2 INTER_AREA).
    `fit_affine` maps coordinates likewise.
    """
    height, width = pixels.shape
    return _placed(pixels, (height, width), (height, width), size, fit)


def _placed(
    pixels: np.ndarray,
    shape: tuple[int, int],
    extent: tuple[float, float],
    size: int,
    fit: Fit,
) -> np.ndarray:
    """`fit_square` of an image whose pixels may have been made fewer.

    Args:
      pixels: [height, width].
      shape: (height, width) of the image itself, which say how it lies in the square.
      extent: (height, width) of the image in units of `pixels`, from their first corner on.
      size: side of the square.
      fit: as there.
    """
    scaled_height, scaled_width, top, left = _placement(*shape, size, fit)
    scaled = _resized(pixels, extent, scaled_height, scaled_width)
    if scaled.shape == (size, size):
        return np.ascontiguousarray(scaled)[..., None]
    if fit == "crop":
        return np.ascontiguousarray(scaled[-top : size - top, -left : size - left])[..., None]
    square = np.zeros((size, size, 1), np.uint8)
    square[top : top + scaled_height, left : left + scaled_width, 0] = scaled
    return square


def _resized(
    pixels: np.ndarray, extent: tuple[float, float], height: int, width: int
) -> np.ndarray:
    """uint8 [height, width] of the part of `pixels` that is the image, see `_placed`."""
    if extent == (height, width):
        return pixels
    shrinks = height < extent[0] or width < extent[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized: np.ndarray
    if extent == pixels.shape:
        resized = cv2.resize(pixels, (width, height), interpolation=interpolation)
        return resized
    # Given factors and no size, the library keeps to the factors, fractions of a pixel included.
    resized = cv2.resize(
        pixels, None, fx=width / extent[1], fy=height / extent[0], interpolation=interpolation
    )
    return resized[:height, :width]


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
