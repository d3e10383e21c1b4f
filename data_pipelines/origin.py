# SPDX-License-Identifier: Apache-2.0
"""Can the data set of an image be told from its frame alone?

A system that mixes data sets may read the origin of an image off its border (collimation, markers,
the noise of the scanner) and, with it, the habits of the origin's labels. The measure is the
accuracy of a logistic regression on the border of the image, folds by patient, beside chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from etils import epath

from medst_jax.data.records.studies import open_studies, read_info

IMAGES = 250  # frontal images of each data set
SIDE, WIDTH = 32, 3  # the border of the image at SIDE pixels is WIDTH pixels wide
_FOLDS = 5


def frame_accuracy(data_dir: epath.PathLike, names: Sequence[str]) -> dict[str, Any]:
    """Accuracy of telling n data sets by the frame, each weighing the same; chance is 1 / n.

    Raises:
      MissingDataError: a data set is not there.
    """
    frames, origins, patients = [], [], []
    for number, name in enumerate(names):
        for pixels, patient in _frontals(data_dir, name):
            frames.append(_frame(pixels))
            origins.append(number)
            patients.append((number << 32) + patient)
    predicted = _predict(np.array(frames), np.array(origins), np.array(patients))
    right = predicted == np.array(origins)
    recall = {
        name: round(float(right[np.array(origins) == number].mean()), 4)
        for number, name in enumerate(names)
    }
    return {
        "data_sets": list(names),
        "images": len(right),
        "accuracy": round(sum(recall.values()) / len(recall), 4),
        "chance": round(1 / len(names), 4),
        "recall": recall,
    }


def _frontals(data_dir: epath.PathLike, name: str) -> list[tuple[np.ndarray, int]]:
    """Frontal images, evenly spaced over the studies of all splits, with their patients."""
    splits = sorted(read_info(data_dir, name)["splits"].items())
    total = sum(count["studies"] for _, count in splits)
    sampled = []
    for split, count in splits:
        studies = open_studies(data_dir, name, split)
        share = max(1, round(IMAGES * count["studies"] / total))
        rows = np.unique(np.linspace(0, len(studies) - 1, min(share, len(studies))).astype(int))
        for row in rows.tolist():
            image = studies[row].frontal()
            if image is None:
                continue
            pixels = cv2.imdecode(np.frombuffer(image.data, np.uint8), cv2.IMREAD_GRAYSCALE)
            assert pixels is not None, "a stored image decodes"
            sampled.append((pixels, int(studies.index.patient[row])))
    return sampled


def _frame(pixels: np.ndarray) -> np.ndarray:
    small = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    border = np.ones((SIDE, SIDE), bool)
    border[WIDTH:-WIDTH, WIDTH:-WIDTH] = False
    return small[border] / 255


def _predict(frames: np.ndarray, origins: np.ndarray, patients: np.ndarray) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    predicted = np.zeros(len(origins), int)
    folds = GroupKFold(min(_FOLDS, len(np.unique(patients))))
    for train, test in folds.split(frames, origins, patients):
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=0.01, max_iter=500, class_weight="balanced")
        )
        predicted[test] = model.fit(frames[train], origins[train]).predict(frames[test])
    return predicted
