# SPDX-License-Identifier: Apache-2.0
"""Grey pixels and a few header values of DICOM files.

Pixels go through the modality LUT or rescale, on request through the VOI LUT or window
(`dicom_values`), and MONOCHROME1 is inverted, so that bright always means dense. Colour is reduced to its luminance.
Pixel padding becomes the darkest value.
"""

from __future__ import annotations

import io
import logging
import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from medst_jax.data.images import limits
from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.dicom_bounds import check_frame, check_inflation
from medst_jax.data_pipelines.dicom_values import in_bands, padding_mask, rescaled, windowed
from medst_jax.data_pipelines.source_image import SourceImage, UnreadableImage

NAN = float("nan")
# ITU-R BT.601.
_LUMINANCE = (0.299, 0.587, 0.114)
_HEADER_TAGS = (
    "PatientAge",
    "PatientSex",
    "ViewPosition",
    "StudyDate",
    "StudyTime",
    "PhotometricInterpretation",
)


@dataclass(frozen=True)
class Header:
    """Values of a file's header; empty or NaN when absent. day: days since year 1."""

    view: str
    sex: str
    age: float
    day: float


def read_header(data: bytes) -> Header:
    """The header of a file.

    Raises:
      UnreadableImage: not a DICOM file, or damaged.
    """
    try:
        dataset = _parse(data, stop_before_pixels=True, specific_tags=list(_HEADER_TAGS))
        values = {tag: str(dataset.get(tag) or "").strip() for tag in _HEADER_TAGS}
    except UnreadableImage:
        raise
    # The parser raises whatever the damage leads to; one bad file must not end a build.
    except Exception as error:
        raise UnreadableImage("unreadable DICOM header") from error
    return Header(
        view=values["ViewPosition"],
        sex=cells.sex(values["PatientSex"]),
        age=cells.age(values["PatientAge"]),
        day=_day(values["StudyDate"], values["StudyTime"]),
    )


def read_size(data: bytes) -> tuple[int, int]:
    """(width, height) of a file's image.

    Raises:
      UnreadableImage: not a DICOM file, or damaged.
    """
    try:
        dataset = _parse(data, stop_before_pixels=True, specific_tags=["Rows", "Columns"])
        return int(dataset.Columns), int(dataset.Rows)
    except UnreadableImage:
        raise
    # The parser raises whatever the damage leads to; one bad file must not end a build.
    except Exception as error:
        raise UnreadableImage("unreadable DICOM header") from error


def read_pixels(data: bytes, *, voi_lut: bool) -> SourceImage:
    """The image of a file: uint8 or uint16 as stored; float32 after a VOI LUT or window, and
    where a rescale gives values that 16 bits cannot hold.

    Raises:
      UnreadableImage: damaged, without one grey or colour frame, too large, or compressed in a
        way that no installed decoder reads.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _image(_parse(data), voi_lut)
    except UnreadableImage:
        raise
    except limits.TooLarge as error:
        raise UnreadableImage(str(error)) from error
    except Exception as error:
        raise UnreadableImage("unreadable DICOM") from error


def _parse(data: bytes, **options: Any) -> Any:
    import pydicom

    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    # The library's remarks quote header values, which may name a patient.
    pydicom.config.logger.setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_inflation(data)
        return pydicom.dcmread(io.BytesIO(data), **options)


def _image(dataset: Any, voi_lut: bool) -> SourceImage:
    limits.check_pixels(int(dataset.Rows), int(dataset.Columns))
    if int(dataset.get("NumberOfFrames") or 1) != 1:
        raise UnreadableImage("DICOM of several frames")
    stored = _grey(_decoded(dataset), str(dataset.PhotometricInterpretation))
    # Large films: what is not needed any more makes room.
    del dataset.PixelData
    padding = padding_mask(stored, dataset)
    values = rescaled(stored, dataset)
    seen = windowed(values, dataset) if voi_lut else None
    grey = values if seen is None else seen
    del values, stored
    shown = grey if padding is None else grey[~padding]
    low, high = shown.min(), shown.max()
    del shown
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        grey = high - grey
        grey += low
    if padding is not None:
        # The darkest value of what is shown, which the inversion leaves as it was.
        grey = np.where(padding, low, grey)
    return SourceImage(
        grey.astype(np.float32)
        if seen is not None
        else _narrow(grey, int(dataset.get("BitsStored") or 16)),
        windowed=seen is not None,
        spacing=_spacing(dataset),
    )


def _decoded(dataset: Any) -> np.ndarray:
    from pydicom.pixels import get_decoder

    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated and not get_decoder(syntax).is_available:
        raise UnreadableImage(f"no decoder for DICOM compression {syntax.name}")
    if syntax.is_encapsulated:
        check_frame(dataset)
    return dataset.pixel_array


def _grey(pixels: np.ndarray, photometric: str) -> np.ndarray:
    if pixels.ndim == 2 and photometric in ("MONOCHROME1", "MONOCHROME2"):
        return pixels
    if pixels.ndim == 3 and pixels.shape[-1] == 3 and photometric[:3] in ("RGB", "YBR"):
        return in_bands(
            lambda band: np.rint(band @ np.array(_LUMINANCE)).astype(pixels.dtype), pixels
        )
    raise UnreadableImage("DICOM photometric interpretation is neither grey nor RGB")


def _narrow(values: np.ndarray, bits: int) -> np.ndarray:
    """Whole numbers as unsigned integers from zero up; float32 where that would lose a level."""
    if np.issubdtype(values.dtype, np.floating) and not (values == np.rint(values)).all():
        return values.astype(np.float32)
    values = values - min(values.min(), 0)
    if values.max() > 65535:
        return values.astype(np.float32)
    return values.astype(np.uint8 if bits <= 8 and values.max() <= 255 else np.uint16)


def _spacing(dataset: Any) -> tuple[float, float]:
    spacing = dataset.get("PixelSpacing") or dataset.get("ImagerPixelSpacing") or (NAN, NAN)
    try:
        rows, columns = (float(side) for side in spacing)
    except (TypeError, ValueError):
        return (NAN, NAN)
    usable = all(math.isfinite(side) and side > 0 for side in (rows, columns))
    return (rows, columns) if usable else (NAN, NAN)


def _day(date: str, time: str) -> float:
    try:
        return cells.day(date, "StudyDate") + cells.time_of_day(time, "StudyTime")
    except cells.CellError:
        return NAN
