# SPDX-License-Identifier: Apache-2.0
"""What every protocol returns."""

import dataclasses

import numpy as np

from medst_jax.evaluate.statistics.bootstrap import Statistic
from medst_jax.evaluate.statistics.predictions import Predictions


class NotApplicable(ValueError):
    """The protocol needs a part that the system lacks, such as a text encoder."""


@dataclasses.dataclass(frozen=True)
class Part:
    """One set of predictions, such as those of the 16-shot probe.

    Attributes:
      name: tells the parts of a task apart; empty when there is one.
      predictions: on the test images.
      rows: int [n], rows of the split behind the predictions (for pictures; never stored).
      note: what a reader of the numbers should know; empty when nothing.
    """

    name: str
    predictions: Predictions
    rows: np.ndarray
    note: str = ""


@dataclasses.dataclass(frozen=True)
class DerivedMetric:
    """A number made of several parts, such as a harmonic mean.

    Attributes:
      part, metric: where and under which name it is reported.
      statistic: image weights [R, n] -> [R].
      patients: int [n].
      small: too few images of some class for an interval.
    """

    part: str
    metric: str
    statistic: Statistic
    patients: np.ndarray
    small: bool = False


@dataclasses.dataclass(frozen=True)
class RetrievedTexts:
    """Texts found for images; the report shows them only where the data may be shown.

    Attributes:
      rows: int [q], rows of the query images.
      texts: for each query its own text, then the nearest ones, best first.
      hits: for each query, which of the nearest texts equal its own.
      equal: int [n], of every text of the gallery how many there are of its words, itself among
        them; None where that was not counted.
    """

    rows: np.ndarray
    texts: tuple[tuple[str, ...], ...]
    hits: tuple[tuple[bool, ...], ...]
    equal: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class LocalizationMaps:
    """Where in an image something is seen: an image and its map for each of q classes.

    Attributes:
      title: what the maps are, for the report.
      rows: int [q], rows of the images.
      classes: the q classes; no words of a report.
      maps: float32 [q, S, S]; NaN outside the image proper.
      boxes: bool [q, S, S], true where the class is said to be; None where nobody says.
    """

    title: str
    rows: np.ndarray
    classes: tuple[str, ...]
    maps: np.ndarray
    boxes: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Trajectory:
    """The edema severity of one patient over T graded studies.

    Attributes:
      days: float [T], since the first of them, rising.
      expected: float [T], mean of the predicted grade, 0 to 3.
      deviation: float [T], standard deviation of the predicted grade.
      grades: int [T], of the reference.
    """

    days: np.ndarray
    expected: np.ndarray
    deviation: np.ndarray
    grades: np.ndarray


@dataclasses.dataclass(frozen=True)
class WordAttribution:
    """A report whose words bear the score of its image; shown only where the data may be shown.

    Attributes:
      row: of the study.
      words: of the report.
      values: float [n], how much of the score each word bears.
    """

    row: int
    words: tuple[str, ...]
    values: np.ndarray


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Everything a protocol found on one task; `dataset` and `split` are of the test images.

    `mode` is what a task whose mode depends on the system came to; empty where nothing depends.
    """

    dataset: str
    split: str
    parts: tuple[Part, ...]
    derived: tuple[DerivedMetric, ...] = ()
    retrieved: RetrievedTexts | None = None
    localization: LocalizationMaps | None = None
    trajectories: tuple[Trajectory, ...] = ()
    attributions: tuple[WordAttribution, ...] = ()
    mode: str = ""
