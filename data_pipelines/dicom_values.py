# SPDX-License-Identifier: Apache-2.0
"""Grey values of a DICOM file's stored pixels: rescale, window or VOI table, padding.

pydicom's own functions do the arithmetic. What a header says badly is settled here: an empty tag
says nothing, a window that shows nothing is not used, and a tag that is no number is a reject,
since nobody can know what was meant.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from medst_jax.data_pipelines.source_image import UnreadableImage


def rescaled(stored: np.ndarray, dataset: Any) -> np.ndarray:
    """Values after the modality table or rescale, in float64 unless a table gives integers.

    Args:
      stored: [H, W], the values of the file.
      dataset: the parsed file; an unusable rescale is removed from it, for the window's sake.

    Raises:
      UnreadableImage: slope or intercept is not a finite number, or values leave float32.
    """
    from pydicom.pixels import apply_modality_lut

    if not dataset.get("ModalityLUTSequence"):
        slope = _numbers(dataset, "RescaleSlope", "rescale")
        intercept = _numbers(dataset, "RescaleIntercept", "rescale")
        for tag in ("RescaleSlope", "RescaleIntercept"):
            if tag in dataset:
                del dataset[tag]
        # A slope of 0 would make all pixels alike: it says nothing.
        if any(slope) or intercept:
            dataset.RescaleSlope = repr(slope[0]) if any(slope) else "1"
            dataset.RescaleIntercept = repr(intercept[0]) if intercept else "0"
    values = in_bands(lambda band: apply_modality_lut(band, dataset), stored)
    # The limit leaves room for differences of two values.
    if max(abs(values.max()), abs(values.min())) > np.finfo(np.float32).max / 4:
        raise UnreadableImage("DICOM rescale gives values that no picture has")
    return values


def windowed(values: np.ndarray, dataset: Any) -> np.ndarray | None:
    """Values through the file's VOI table or first usable window; None when it has none.

    A table or window is unusable when it is incomplete, of width 0 or less, of a function that
    the standard does not know, or beside all pixels, so that the picture would have one value.

    Raises:
      UnreadableImage: a window's centre or width is not a number.
    """
    from pydicom.pixels import apply_voi

    centres = _numbers(dataset, "WindowCenter", "window")
    widths = _numbers(dataset, "WindowWidth", "window")
    views: list[int | None] = [None] if dataset.get("VOILUTSequence") else []  # None: the table
    if len(centres) == len(widths):
        views += range(len(widths))
    for view in views:
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                if view is None:
                    seen = in_bands(lambda band: apply_voi(band, dataset), values)
                else:
                    seen = in_bands(partial(_window, dataset, view), values)
        except _UNUSABLE:
            continue
        if np.isfinite(seen).all() and (seen.max() > seen.min() or values.max() == values.min()):
            return np.asarray(seen, np.float64)
    return None


def in_bands(function: Callable[[np.ndarray], np.ndarray], pixels: np.ndarray) -> np.ndarray:
    """A function of every pixel alone, over some rows at a time, for it may hold several copies.

    Args:
      function: [h, W, ...] to [h, W].
      pixels: [H, W, ...].

    Returns:
      [H, W], of the type that the function gives.
    """
    rows = max(1, _BAND_PIXELS // pixels.shape[1])
    first = np.asarray(function(pixels[:rows]))
    if rows >= len(pixels):
        return first
    out = np.empty(pixels.shape[:2], first.dtype)
    out[:rows] = first
    for start in range(rows, len(pixels), rows):
        out[start : start + rows] = function(pixels[start : start + rows])
    return out


def _window(dataset: Any, view: int, values: np.ndarray) -> np.ndarray:
    from pydicom.pixels import apply_windowing

    return np.asarray(apply_windowing(values, dataset, view))


def padding_mask(stored: np.ndarray, dataset: Any) -> np.ndarray | None:
    """bool [H, W] of padding pixels; None when there are none, or nothing else.

    Padding is one value, or all from Pixel Padding Value to Pixel Padding Range Limit in either
    order (DICOM PS3.3 C.7.5.1.1.2). Writers confuse signed and unsigned: both readings of the
    16 bits mean the same.
    """
    ends = [_as_stored(dataset.get(tag), stored) for tag in _PADDING]
    first, last = ends if ends[1] is not None else (ends[0], ends[0])
    if first is None or last is None:
        return None
    padding = (stored >= min(first, last)) & (stored <= max(first, last))
    return padding if padding.any() and not padding.all() else None


# What pydicom raises for tables and windows that are incomplete or that the standard forbids.
_UNUSABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_BAND_PIXELS = 1 << 20
_PADDING = ("PixelPaddingValue", "PixelPaddingRangeLimit")


def _as_stored(value: Any, stored: np.ndarray) -> int | None:
    """A padding value as a number of the stored type; None where the file gives none."""
    if isinstance(value, bytes):  # of a value representation that was not told
        value = int.from_bytes(value[:2], "little") if len(value) >= 2 else None
    try:
        number = int(value)
    except (TypeError, ValueError):
        return None
    if np.issubdtype(stored.dtype, np.signedinteger):
        return number - 65536 if number > 32767 else number
    return number + 65536 if number < 0 else number


def _numbers(dataset: Any, tag: str, what: str) -> list[float]:
    """The finite numbers of a tag, [] where it is absent or empty."""
    try:
        value = dataset.get(tag)
        several = value if isinstance(value, (list, tuple)) or _is_multi(value) else [value]
        numbers = [float(one) for one in several if one is not None and str(one).strip()]
    except (TypeError, ValueError) as error:
        raise UnreadableImage(f"DICOM {what} is not a number") from error
    if not all(math.isfinite(number) for number in numbers):
        raise UnreadableImage(f"DICOM {what} is not a number")
    return numbers


def _is_multi(value: Any) -> bool:
    from pydicom.multival import MultiValue

    return isinstance(value, MultiValue)
