# SPDX-License-Identifier: Apache-2.0
"""The images of stored studies, decoded where the batch holds them."""

from collections.abc import Sequence

import numpy as np

from medst_jax.data.images import Decode, Fit
from medst_jax.data.images.pixels import decode_jpeg, is_jpeg_of, read_square
from medst_jax.data.loader.lazy_study import LazyStudy
from medst_jax.data.loader.study_cache import EMPTY, UNCACHED, StudyCache
from medst_jax.data.mixture.mixture import Corpus
from medst_jax.data.records.schema import FRONTAL_VIEWS, LATERAL_VIEWS


class ImageReader:
    """Decodes images of the studies of a mixture; where they lie in a record is cached.

    Args:
      corpora: the mixture.
      lateral: lateral images, else frontal ones.
      size: S, side of the squares.
      fit: how an image becomes a square.
      decode: of images larger than that, see `pixels.read_square`.
    """

    def __init__(
        self, corpora: Sequence[Corpus], lateral: bool, size: int, fit: Fit, decode: Decode
    ) -> None:
        self._corpora, self._lateral = tuple(corpora), lateral
        self._size, self._fit, self._decode = size, fit, decode
        self._span_caches = tuple(
            StudyCache(len(corpus.studies), start=np.int64(), end=np.int64(), fits=np.int64())
            for corpus in corpora
        )

    def spans(self, number: int, rows: np.ndarray, variates: np.ndarray) -> np.ndarray:
        """Where in its record an image of each study lies.

        Args:
          number: of the data set.
          rows: int64 [B], its studies, -1 for none.
          variates: [B] in [0, 1), which of several images.

        Returns:
          int64 [3, B]: the first byte, `EMPTY` without an image, `UNCACHED` where that is not
          known; the end; and whether it is a JPEG of the batch's size.
        """
        cache = self._span_caches[number]
        entries = cache.choose(rows, variates)
        # A negative entry or row reads some other study's values here; the next line replaces them.
        spans = np.stack([cache[name][entries] for name in ("start", "end", "fits")])
        spans[0] = np.where(rows < 0, EMPTY, np.where(entries < 0, entries, spans[0]))
        return spans

    def read(
        self, study: LazyStudy, span: tuple[int, int, int], variate: float, out: np.ndarray
    ) -> bool:
        """Decode an image of a study into `out`, uint8 [S, S, 1]; zeros where there is none.

        Args:
          study: whose image.
          span: where it lies, of `spans`.
          variate: by which the span was chosen.
          out: all of it is written.

        Returns:
          Whether there is one.

        Raises:
          ValueError: the image is damaged.
        """
        start, end, fits = span
        if start == UNCACHED:
            candidates = self._cache_spans(study)
            # The same arithmetic as in the cache: the first epoch sees what later ones see.
            chosen = int(variate * len(candidates))
            start, end, fits = candidates[chosen] if candidates else (EMPTY, 0, 0)
        if start == EMPTY:
            out[:] = 0
            return False
        data = memoryview(study.record)[start:end]
        # The common case decodes where the batch holds the image, without a copy.
        if not (fits and decode_jpeg(data, out)):
            out[:] = read_square(data, self._size, self._fit, self._decode)
        return True

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        options = self._lateral, self._size, self._fit, self._decode
        return ImageReader, (self._corpora, *options)

    def _cache_spans(self, study: LazyStudy) -> list[tuple[int, int, int]]:
        """Find the images of a study in its record, and cache where they are."""
        kinds = LATERAL_VIEWS if self._lateral else FRONTAL_VIEWS
        spans = []
        for k, view in enumerate(study.parsed.views):
            if view in kinds:
                data = study.parsed.image_data(k)
                start = _find(data, study.record)
                spans.append((start, start + len(data), int(is_jpeg_of(data, self._size))))
        columns = np.array(spans, np.int64).reshape(-1, 3).T
        self._span_caches[study.corpus.number].add(
            study.row, **dict(zip(("start", "end", "fits"), columns, strict=True))
        )
        return spans


def _find(data: bytes, record: bytes) -> int:
    """`record.index(data)` by a short prefix: `index` itself prepares long for a long needle."""
    head, start = data[:64], -1
    while (start := record.find(head, start + 1)) >= 0:
        if record.startswith(data, start):
            return start
    raise ValueError("a record does not hold its own image")
