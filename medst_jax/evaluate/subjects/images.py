# SPDX-License-Identifier: Apache-2.0
"""Frontal images of evaluation studies, decoded by the functions that training uses."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from tqdm import tqdm

from medst_jax.data.images import Decode, Fit, pixels
from medst_jax.data.records.studies import Studies

Square = Callable[[bytes], np.ndarray]  # encoded bytes to uint8 [S, S, 1]
_SILENT = 32  # fewer images need no progress bar


def square_of(size: int, fit: Fit, decode: Decode) -> Square:
    """The squares that training makes, see `pixels.read_square`."""
    return lambda data: pixels.read_square(data, size, fit, decode)


def numbered_images(
    studies: Studies, places: Sequence[tuple[int, int]], square: Square
) -> Iterator[np.ndarray]:
    """uint8 [S, S, 1] for each (row, number of the image in its study)."""
    for row, number in places:
        yield square(studies[row].images[number].data)


def frontal_images(
    studies: Studies, rows: Sequence[int], square: Square, *, progress: bool
) -> Iterator[np.ndarray]:
    """uint8 [S, S, 1] for each row: its first frontal image.

    Raises:
      ValueError: a row has no frontal image; the row number is in the message.
    """

    def load(row: int) -> np.ndarray:
        image = studies[row].frontal()
        if image is None:
            raise ValueError(
                f"row {row} of {studies.name}/{studies.split} has no frontal image; "
                "select rows with index.has_frontal"
            )
        return square(image.data)

    if rows:
        # The reader imports its libraries at the first read: two threads there at once can wait
        # for each other's import locks for ever.
        load(rows[0])
    label = f"{studies.name}/{studies.split}"
    quiet = not progress or len(rows) < _SILENT
    with ThreadPoolExecutor(4) as pool:
        yield from tqdm(
            pool.map(load, rows), total=len(rows), desc=label, unit="image", disable=quiet
        )
