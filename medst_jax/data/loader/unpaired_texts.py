# SPDX-License-Identifier: Apache-2.0
"""Texts of one data set for the images of another: whose report a sentence is drawn from.

Reference: MedCLIP, Wang et al., arXiv:2210.10163, section 3.1: images and texts are unpaired and meet by
their labels. Its release fills up images without a report from at most 200 sentences per class, drawn
anew each epoch; here every study with the class can give one.
"""

import numpy as np

from medst_jax.data.mixture.mixture import Corpus
from medst_jax.data.randomness import uniforms
from medst_jax.options import OptionError


class UnpairedTexts:
    """Draws a study of `source` that has a positive class of the study it stands with.

    Attributes:
      source: number of the data set that gives the texts.

    Args:
      corpus: whose images.
      source: whose reports.
      seed: of every choice.

    Raises:
      OptionError: no study of the source has a report.
    """

    def __init__(self, corpus: Corpus, source: Corpus, seed: int) -> None:
        self.source, self._seed = source.number, seed
        self._rows = source.rows[source.studies.index.sentence_count[source.rows] > 0]
        if not len(self._rows):
            raise OptionError(
                f"config.data.mixture.{corpus.name}.texts_of names {source.name!r}, of which no "
                "study has a report"
            )
        theirs = _positive(source, self._rows)
        # Studies of class 0, of class 1 and so on, end to end.
        self._members = np.nonzero(theirs.T)[1]
        self._counts = theirs.sum(axis=0)
        self._starts = np.cumsum(self._counts) - self._counts
        # Of whom the text would be: in the control, of another study.
        self._wanted = _positive(corpus, corpus.text_rows) & (self._counts > 0)

    def __call__(self, rows: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Study and class for each of some studies; any study where no class is shared, class -1.

        Args:
          rows: int64 [B], which of the corpus' `rows`.
          positions: int64 [B], in the global stream; they key the choices.

        Returns:
          int64 [B], studies of the source; int64 [B], columns of the union.
        """
        of_class, of_study = (
            uniforms(self._seed, f"unpaired {what}", positions) for what in ("class", "study")
        )
        wanted = self._wanted[rows]
        count = wanted.sum(axis=1)
        number = (of_class * count).astype(np.int64)
        # The first column at which as many wanted classes have passed.
        classes = np.argmax(np.cumsum(wanted, axis=1) > number[:, None], axis=1)
        place = self._starts[classes] + (of_study * self._counts[classes]).astype(np.int64)
        anyone = (of_study * len(self._rows)).astype(np.int64)
        shared = count > 0
        member = np.where(shared, self._members[np.where(shared, place, 0)], anyone)
        return self._rows[member], np.where(shared, classes, -1)


def _positive(corpus: Corpus, rows: np.ndarray) -> np.ndarray:
    """Which classes are positive by the data set's policy, bool [n, C]."""
    labels, known = corpus.policy.apply(corpus.codes(rows))
    return (labels > 0) & known
