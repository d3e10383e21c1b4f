# SPDX-License-Identifier: Apache-2.0
"""Stored form of an image: intensity, size, bytes and the stored-from-source map."""

from __future__ import annotations

import os
from dataclasses import dataclass

import cv2
import numpy as np
import simplejpeg

from medst_jax.data_pipelines import image_files, intensity
from medst_jax.data_pipelines.raw import RawImage

JPEG_QUALITY = 95


@dataclass(frozen=True)
class Encoding:
    """How a build stores images.

    size: longest stored side in pixels; 0 keeps the source's. intensity: see
    `medst_jax.data_pipelines.intensity`. encoding: jpeg (8-bit grey, quality 95) or png16.
    """

    size: int = 0
    intensity: str = "none"
    encoding: str = "jpeg"


def encode_image(image: RawImage, source_dir: str, options: Encoding) -> dict[str, object]:
    """The stored features of one image, as `schema.study_features` names them.

    A grey JPEG that needs neither resizing nor an intensity change keeps its own bytes.

    Raises:
      image_files.UnreadableImage: with the reason.
    """
    source = _load(image, source_dir, options)
    height, width = source.pixels.shape
    if not height or not width:
        raise image_files.UnreadableImage("image without pixels")
    try:
        pixels = intensity.convert(
            source.pixels, options.intensity, options.encoding, windowed=source.windowed
        )
    except intensity.IntensityError as error:
        raise image_files.UnreadableImage(str(error)) from error
    stored = _shrink(pixels, options.size)
    spacing = image.spacing if np.isfinite(image.spacing).all() else source.spacing
    return {
        "image_id": image.image_id,
        "data": _bytes(source, stored, options),
        "view": image.view,
        "height": height,
        "width": width,
        "spacing": np.asarray(spacing, np.float32),
        "affine": np.array(
            [[stored.shape[1] / width, 0, 0], [0, stored.shape[0] / height, 0]], np.float32
        ),
    }


def _load(image: RawImage, source_dir: str, options: Encoding) -> image_files.SourceImage:
    if image.path is None:
        assert image.pixels is not None, "an image has pixels or a path"
        return image_files.SourceImage(image.pixels)
    data = image_files.read_bytes(source_dir, os.fspath(image.path))
    return image_files.decode(data, voi_lut=options.intensity == "voi_lut")


def _shrink(pixels: np.ndarray, size: int) -> np.ndarray:
    longest = max(pixels.shape)
    if not size or longest <= size:
        return pixels
    height, width = (max(1, round(side * size / longest)) for side in pixels.shape)
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)


def _bytes(source: image_files.SourceImage, stored: np.ndarray, options: Encoding) -> bytes:
    if options.encoding == "png16":
        return cv2.imencode(".png", stored)[1].tobytes()
    unchanged = stored.shape == source.pixels.shape and options.intensity in ("none", "voi_lut")
    if source.jpeg is not None and unchanged:
        return source.jpeg
    pixels = np.ascontiguousarray(stored)[:, :, None]
    return simplejpeg.encode_jpeg(pixels, quality=JPEG_QUALITY, colorspace="GRAY")
