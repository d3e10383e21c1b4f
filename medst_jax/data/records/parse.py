# SPDX-License-Identifier: Apache-2.0
"""The features of a serialised study record, straight from the tf.Example message.

TFDS's own NumPy parser gives the same values (a test compares them) at many times the cost. Only
the features that are asked for are turned into Python values, since training reads few of them.
Truth features, which only evaluators read, go through TFDS's parser.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from medst_jax.data.records.schema import label_width


class Record:
    """One record, its features by name.

    Args:
      record: serialised by `schema.study_features(labels, ...)`.
      labels: the data set's vocabulary.
      truth_features: a TFDS `FeaturesDict` of the `truth_*` features to read, or None.
    """

    def __init__(self, record: bytes, labels: tuple[str, ...], truth_features: Any = None) -> None:
        self._fields = _message().FromString(record).features.feature
        self._width, self._classes = label_width(labels), len(labels)
        self._truth = None if truth_features is None else (truth_features, record)

    def data(self, key: str, k: int) -> bytes:
        """Value `k` of a feature of bytes."""
        value: bytes = self._fields[key].bytes_list.value[k]
        return value

    def strings(self, key: str) -> list[str]:
        """Values of a text feature."""
        return [value.decode() for value in self._fields[key].bytes_list.value]

    def integers(self, key: str) -> list[int]:
        """Values of an integer feature."""
        return list(self._fields[key].int64_list.value)

    def floats(self, key: str, *shape: int) -> np.ndarray:
        """Values of a feature of numbers, float32 [n, *shape]."""
        return np.array(list(self._fields[key].float_list.value), np.float32).reshape(-1, *shape)

    def codes(self, key: str) -> np.ndarray:
        """Label vectors, int8 [n, C]."""
        flat = np.array(list(self._fields[key].int64_list.value), np.int8)
        # An empty vocabulary is stored as one column, which is cut off here.
        return flat.reshape(-1, self._width)[:, : self._classes]

    def truth(self) -> dict[str, Any]:
        """The truth features that were asked for: texts and arrays."""
        if self._truth is None:
            return {}
        features, record = self._truth
        return _decoded(features.deserialize_example_np(record))


@functools.cache
def _message() -> Any:
    # Late: TFDS takes long to import, and most importers of this module read no record.
    from tensorflow_datasets.proto import tf_example_pb2

    return tf_example_pb2.Example


def _decoded(truth: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _text_or_array(value) for name, value in truth.items()}


def _text_or_array(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    array = np.asarray(value)
    if array.dtype.kind in "OS":
        texts = [v.decode() if isinstance(v, bytes) else str(v) for v in array.ravel()]
        return np.array(texts, dtype=object).reshape(array.shape)
    return array
