# SPDX-License-Identifier: Apache-2.0
"""The images of stored studies, decoded where the batch holds them."""

from collections.abc import Sequence

import numpy as np

from medst_jax.data.images.pixels import Fit, decode, decode_jpeg, fit_square, is_jpeg_of
from medst_jax.data.loader.record_reader import OpenStudy
from medst_jax.data.loader.text_cache import NOTHING, UNMET, Remembered
from medst_jax.data.mixture.mixture import Corpus
from medst_jax.data.records.schema import FRONTAL_VIEWS, LATERAL_VIEWS


class ImageReader:
    """Decodes images of the studies of a mixture; where they lie in a record is found once.

    Args:
      corpora: the mixture.
      lateral: lateral images, else frontal ones.
      size: S, side of the squares.
      fit: how an image becomes a square.
    """

    def __init__(self, corpora: Sequence[Corpus], lateral: bool, size: int, fit: Fit) -> None:
        self._corpora, self._lateral, self._size, self._fit = tuple(corpora), lateral, size, fit
        self._known = tuple(
            Remembered(len(corpus.studies), start=np.int64(), end=np.int64(), fits=np.int64())
            for corpus in corpora
        )

    def spans(self, number: int, rows: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
        """Where in its record an image of each study lies.

        Args:
          number: of the data set.
          rows: int64 [B], its studies, -1 for none.
          uniforms: [B] in [0, 1), which of several images.

        Returns:
          int64 [3, B]: the first byte, `NOTHING` without an image, `UNMET` where that is not
          known; the end; and whether it is a JPEG of the batch's size.
        """
        known = self._known[number]
        entries = known.draw(rows, uniforms)
        spans = np.stack([known[name][entries] for name in ("start", "end", "fits")])
        spans[0] = np.where(rows < 0, NOTHING, np.where(entries < 0, entries, spans[0]))
        return spans

    def read(
        self, study: OpenStudy, span: tuple[int, int, int], uniform: float, out: np.ndarray
    ) -> bool:
        """Decode an image of a study into `out`, uint8 [S, S, 1]; zeros where there is none.

        Args:
          study: whose image.
          span: where it lies, of `spans`.
          uniform: that the span was drawn by.
          out: all of it is written.

        Returns:
          Whether there is one.

        Raises:
          ValueError: the image is damaged.
        """
        start, end, fits = span
        if start == UNMET:
            found = self._meet(study)
            start, end, fits = found[int(uniform * len(found))] if found else (NOTHING, 0, 0)
        if start == NOTHING:
            out[:] = 0
            return False
        data = memoryview(study.record)[start:end]
        if not (fits and decode_jpeg(data, out)):
            out[:] = fit_square(decode(data), self._size, self._fit)
        return True

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return ImageReader, (self._corpora, self._lateral, self._size, self._fit)

    def _meet(self, study: OpenStudy) -> list[tuple[int, int, int]]:
        """Find the images of a study and remember them."""
        kinds = LATERAL_VIEWS if self._lateral else FRONTAL_VIEWS
        found = []
        for k, view in enumerate(study.parsed.views):
            if view in kinds:
                data = study.parsed.image_data(k)
                start = _find(data, study.record)
                found.append((start, start + len(data), int(is_jpeg_of(data, self._size))))
        columns = np.array(found, np.int64).reshape(-1, 3).T
        self._known[study.corpus.number].add(
            study.row, **dict(zip(("start", "end", "fits"), columns, strict=True))
        )
        return found


def _find(data: bytes, record: bytes) -> int:
    """`record.index(data)`, which prepares long for a long needle."""
    head, start = data[:64], -1
    while (start := record.find(head, start + 1)) >= 0:
        if record.startswith(data, start):
            return start
    raise ValueError("a record does not hold its own image")
