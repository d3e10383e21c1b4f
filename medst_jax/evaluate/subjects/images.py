# SPDX-License-Identifier: Apache-2.0
"""Frontal images of evaluation studies, decoded by the functions that training uses."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from tqdm import tqdm

from medst_jax.data.images import pixels
from medst_jax.data.records.studies import Studies

_SILENT = 32  # fewer images need no progress bar


def numbered_images(
    studies: Studies, places: Sequence[tuple[int, int]], *, size: int, fit: pixels.Fit
) -> Iterator[np.ndarray]:
    """uint8 [S, S, 1] for each (row, number of the image in its study)."""
    for row, number in places:
        yield pixels.fit_square(pixels.decode(studies[row].images[number].data), size, fit)


def frontal_images(
    studies: Studies, rows: Sequence[int], *, size: int, fit: pixels.Fit, progress: bool
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
        return pixels.fit_square(pixels.decode(image.data), size, fit)

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
