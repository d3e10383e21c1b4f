# SPDX-License-Identifier: Apache-2.0
"""A serialised study record to a `Study`, straight from the tf.Example message.

TFDS's own NumPy parser gives the same values (a test compares them) at several times the cost;
this runs once per example in training. Truth features, which only evaluators read, go through
TFDS's parser.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from medst_jax.data.schema import label_width
from medst_jax.data.study import Sentence, StoredImage, Study


def parse_study(record: bytes, labels: tuple[str, ...], truth_features: Any = None) -> Study:
    """Parses one record.

    Args:
      record: serialised by `schema.study_features(labels, ...)`.
      labels: the data set's vocabulary.
      truth_features: a TFDS `FeaturesDict` of the `truth_*` features to read, or None.
    """
    from tensorflow_datasets.proto import tf_example_pb2

    fields = tf_example_pb2.Example.FromString(record).features.feature
    width, classes = label_width(labels), len(labels)

    def strings(key: str) -> list[str]:
        return [value.decode() for value in fields[key].bytes_list.value]

    def integers(key: str) -> list[int]:
        return list(fields[key].int64_list.value)

    def floats(key: str, *shape: int) -> np.ndarray:
        return np.array(fields[key].float_list.value, np.float32).reshape(-1, *shape)

    def codes(key: str) -> np.ndarray:
        flat = np.array(fields[key].int64_list.value, np.int8)
        return flat.reshape(-1, width)[:, :classes]

    images = zip(
        strings("images/image_id"),
        fields["images/data"].bytes_list.value,
        strings("images/view"),
        integers("images/height"),
        integers("images/width"),
        [(float(row), float(column)) for row, column in floats("images/spacing", 2)],
        floats("images/affine", 2, 3),
        strict=True,
    )
    sentences = zip(
        integers("sentences/section"),
        integers("sentences/start"),
        integers("sentences/end"),
        codes("sentences/labels"),
        strict=True,
    )
    sections = zip(strings("sections/name"), strings("sections/text"), strict=True)
    truth = {} if truth_features is None else truth_features.deserialize_example_np(record)
    return Study(
        patient_id=strings("patient_id")[0],
        study_id=strings("study_id")[0],
        study_index=integers("study_index")[0],
        study_days=float(floats("study_days")[0]),
        images=tuple(StoredImage(*image) for image in images),
        sections=tuple(sections),
        sentences=tuple(Sentence(*sentence) for sentence in sentences),
        labels=codes("labels")[0],
        severity=integers("severity")[0],
        severity_source=strings("severity_source")[0],
        progression=codes("progression")[0],
        age=float(floats("age")[0]),
        sex=strings("sex")[0],
        language=strings("language")[0],
        source=strings("source")[0],
        truth=_decoded(truth),
    )


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
