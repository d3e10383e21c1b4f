# SPDX-License-Identifier: Apache-2.0
"""The images of a table read directly, without a build, as training would see them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from medst_jax.data.images import Decode, Fit, pixels
from medst_jax.data_pipelines import image_files, intensity
from medst_jax.data_pipelines.image_table.columns import read_rows
from medst_jax.data_pipelines.image_table.options import TableOptions
from medst_jax.data_pipelines.listing.item import Item
from medst_jax.data_pipelines.raw import Reject


def image_rows(source_dir: str) -> tuple[list[Item], list[Reject]]:
    """Rows that name an image, in the table's order, and the rejected others.

    Raises:
      TableError: no metadata.csv, or one without the required columns.
    """
    rows = read_rows(source_dir, TableOptions())
    without = [Reject(row.row, "no image") for row in rows.items if not row.path]
    return [row for row in rows.items if row.path], [*rows.rejects, *without]


def read_square(
    source_dir: str, path: str, size: int, fit: Fit, grey_values: str, decode: Decode = "full"
) -> np.ndarray:
    """One image, uint8 [S, S, 1].

    Args:
      source_dir: the folder.
      path: of the image, relative to it.
      size: S.
      fit: "pad" or "crop".
      grey_values: see `medst_jax.data_pipelines.intensity`.
      decode: see `pixels.read_square`; of grey JPEGs whose bytes a build would store as they are.

    Raises:
      UnreadableImage: missing or damaged; the message is a reason without names.
      IntensityError: 16-bit values that `grey_values` cannot bring to 8 bits.
    """
    return square_of(image_files.read_bytes(source_dir, path), size, fit, grey_values, decode)


def square_of(data: bytes, size: int, fit: Fit, grey_values: str, decode: Decode) -> np.ndarray:
    """`read_square` of the bytes of a file."""
    source = image_files.decode(data, voi_lut=grey_values == "voi_lut")
    grey = intensity.convert(source.pixels, grey_values, "jpeg", windowed=source.windowed)
    if source.jpeg is not None and grey is source.pixels:
        return pixels.read_square(source.jpeg, size, fit, decode)
    return pixels.fit_square(grey, size, fit)


def squares(
    rows: Sequence[Item],
    source_dir: str,
    size: int,
    fit: Fit,
    grey_values: str,
    decode: Decode = "full",
) -> Iterator[tuple[Item, np.ndarray | Reject]]:
    """Each row with its image uint8 [S, S, 1], or with the reason why it has none."""
    for row in rows:
        try:
            yield row, read_square(source_dir, row.path, size, fit, grey_values, decode)
        except (image_files.UnreadableImage, intensity.IntensityError) as error:
            yield row, Reject(row.row, str(error))
