# SPDX-License-Identifier: Apache-2.0
"""A raw study to the features of a stored record, and the digest of a record read back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from medst_jax.data.records import schema
from medst_jax.data_pipelines.raw import RawStudy


def codes(
    values: Mapping[str, int], labels: Sequence[str], absent: int = schema.BLANK
) -> np.ndarray:
    """int8 label codes over the vocabulary (at least one column); `absent` where none is given."""
    result = np.full(schema.label_width(tuple(labels)), absent, np.int8)
    if not labels:
        result[:] = schema.OUTSIDE
    position = {label: k for k, label in enumerate(labels)}
    for label, value in values.items():
        if label not in position:
            raise ValueError(f"label {label!r} is not in the vocabulary of its data set")
        result[position[label]] = value
    return result


def features(
    study: RawStudy, images: Sequence[Mapping[str, object]], labels: Sequence[str]
) -> dict[str, Any]:
    """The record of a study, ready for `schema.study_features(..., patient=False)`."""
    return dict(
        study_id=study.study_id,
        study_index=study.study_index,
        study_days=study.study_days,
        images=list(images),
        sections=[{"name": name, "text": text} for name, text in study.sections],
        sentences=[
            {
                "section": s.section,
                "start": s.start,
                "end": s.end,
                "labels": codes(s.labels, labels),
            }
            for s in study.sentences
        ],
        labels=codes(study.labels, labels, schema.OUTSIDE),
        severity=study.severity,
        severity_source=study.severity_source,
        progression=codes(study.progression, labels),
        age=study.age,
        sex=study.sex,
        language=study.language,
        source=study.source,
        **study.truth,
    )


def digest(value: Any) -> bytes:
    """SHA-256 of parsed features: key order and tf.Example's map order do not matter."""
    state = hashlib.sha256()
    _update(state, value)
    return state.digest()


def _update(state: Any, value: Any) -> None:
    if isinstance(value, Mapping):
        state.update(b"m%d;" % len(value))
        for key in sorted(value):
            _update(state, key)
            _update(state, value[key])
    elif isinstance(value, str | bytes):
        data = value.encode() if isinstance(value, str) else value
        state.update(b"b%d;" % len(data) + data)
    elif isinstance(value, list | tuple):
        state.update(b"l%d;" % len(value))
        for item in value:
            _update(state, item)
    else:
        _update_array(state, np.asarray(value))


def _update_array(state: Any, array: np.ndarray) -> None:
    if array.dtype.kind == "O":
        _update(state, [array.shape.__repr__(), *array.ravel().tolist()])
        return
    state.update(f"a{array.dtype.str}{array.shape};".encode() + array.tobytes())
