# SPDX-License-Identifier: Apache-2.0
"""Frontal images of evaluation studies, decoded by the functions that training uses."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from tqdm import tqdm

from medst_jax.data import pixels
from medst_jax.data.studies import Studies

_CHUNK = 256


def frontal_images(
    studies: Studies, rows: Sequence[int] | np.ndarray, *, size: int, fit: str, progress: bool
) -> Iterator[np.ndarray]:
    """Blocks of uint8 [N, S, S, 1]: the first frontal image of each row.

    Raises:
      ValueError: a row has no frontal image; the row number is in the message.
    """

    def load(row: int) -> np.ndarray:
        image = studies[int(row)].frontal()
        if image is None:
            raise ValueError(
                f"row {row} of {studies.name}/{studies.split} has no frontal image; "
                "select rows with index.has_frontal"
            )
        return pixels.fit_square(pixels.decode(image.data), size, fit)

    label = f"{studies.name}/{studies.split}"
    with (
        ThreadPoolExecutor(4) as pool,
        tqdm(total=len(rows), desc=label, unit="image", disable=not progress) as bar,
    ):
        for start in range(0, len(rows), _CHUNK):
            block = list(pool.map(load, rows[start : start + _CHUNK]))
            yield np.stack(block)
            bar.update(len(block))
