# SPDX-License-Identifier: Apache-2.0
"""The study record: its TFDS features, its label codes and the way names are stored.

One record is one study. Files are TFDS ArrayRecord data sets in
`<data_dir>/<name>/studies/<version>/`; images are kept as encoded bytes, so reading a record
decodes no pixels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

CONFIG = "studies"
VERSION = "2.0.0"
# Newest first. 1.0.0 held patient ids in records, and keys under a salt that everybody knew.
READABLE = (VERSION, "1.0.0")

POSITIVE, NEGATIVE, UNCERTAIN, BLANK, OUTSIDE = 1, 0, -1, -2, -3
CONTRADICTED = -4  # never stored: see `medst_jax.data.mixture.no_finding`
VIEWS = ("PA", "AP", "LATERAL", "LL", "other")
FRONTAL_VIEWS = ("PA", "AP")
LATERAL_VIEWS = ("LATERAL", "LL")
INTENSITIES = ("mimic_jpg", "voi_lut", "minmax", "none")
ENCODINGS = ("jpeg", "png16")

TruthFeatures = Mapping[str, tuple[Any, tuple[int | None, ...]]]

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def check_name(kind: str, name: str) -> str:
    """Returns `name` if TFDS can use it for a data set or a split; raises ValueError if not."""
    if not _NAME.fullmatch(name) or name == "all":
        raise ValueError(
            f"{kind} name {name!r}: use lower-case letters, digits and underscores, starting with "
            "a letter"
        )
    return name


def label_width(labels: tuple[str, ...]) -> int:
    """Stored width of a label vector; an empty vocabulary is stored as one unused column."""
    return max(1, len(labels))


def study_features(
    labels: tuple[str, ...], truth: TruthFeatures | None = None, *, patient: bool = True
) -> Any:
    """TFDS `FeaturesDict` of a study record.

    Args:
      labels: the data set's vocabulary, C names.
      truth: `truth_*` feature name -> (dtype, shape); None in a shape is a free dimension.
      patient: with the patient's number, which a record gets when the data set is assembled.

    Returns:
      A `tfds.features.FeaturesDict` that serialises and parses tf.Example without TensorFlow.
    """
    import tensorflow_datasets as tfds

    def scalar(dtype: Any) -> Any:
        return tfds.features.Scalar(dtype)

    def tensor(shape: tuple[int | None, ...], dtype: Any) -> Any:
        return tfds.features.Tensor(shape=shape, dtype=dtype)

    text, codes = tensor((), np.object_), tensor((label_width(labels),), np.int8)
    features = {
        "study_id": text,
        "study_index": scalar(np.int32),
        "study_days": scalar(np.float32),
        "images": tfds.features.Sequence(
            {
                "image_id": text,
                "data": text,
                "view": text,
                "height": scalar(np.int32),
                "width": scalar(np.int32),
                "spacing": tensor((2,), np.float32),
                "affine": tensor((2, 3), np.float32),
            }
        ),
        "sections": tfds.features.Sequence({"name": text, "text": text}),
        "sentences": tfds.features.Sequence(
            {
                "section": scalar(np.int32),
                "start": scalar(np.int32),
                "end": scalar(np.int32),
                "labels": codes,
            }
        ),
        "labels": codes,
        "severity": scalar(np.int8),
        "severity_source": text,
        "progression": codes,
        "age": scalar(np.float32),
        "sex": text,
        "language": text,
        "source": text,
    }
    if patient:
        features["patient"] = scalar(np.int32)
    for name, (dtype, shape) in (truth or {}).items():
        if not name.startswith("truth_"):
            raise ValueError(f"truth feature {name!r}: its name must start with 'truth_'")
        features[name] = _truth_tensor(tfds, dtype, shape)
    return tfds.features.FeaturesDict(features)


def patient_feature() -> Any:
    """TFDS features of the patient's number alone.

    A tf.Example is a protocol buffer message, so that its bytes behind those of another one add
    its features to it.
    """
    import tensorflow_datasets as tfds

    return tfds.features.FeaturesDict({"patient": tfds.features.Scalar(np.int32)})


def _truth_tensor(tfds: Any, dtype: Any, shape: tuple[int | None, ...]) -> Any:
    kind = np.dtype(dtype)
    stored = np.object_ if kind.kind in "OUS" else kind.type
    # TFDS parses at most one free dimension by itself; more need a byte encoding.
    encoding = "zlib" if sum(d is None for d in shape) > 1 else "none"
    return tfds.features.Tensor(shape=shape, dtype=stored, encoding=encoding)
