# SPDX-License-Identifier: Apache-2.0
"""Keeps "No Finding" of a text of several sentences to the rule of `medst_jax.text.no_finding`.

Each sentence is labelled alone: "No pneumothorax." has no finding, though the text it is part of
may name an effusion, or a finding outside the vocabulary. So a sentence that affirms or doubts
anything is marked here, in memory only, and a text that holds one does not say "No Finding".
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from medst_jax.data.mixture.labels import label_key
from medst_jax.data.records.schema import BLANK, CONTRADICTED, POSITIVE, UNCERTAIN
from medst_jax.text.labeler import label_sentence
from medst_jax.text.no_finding import HARMLESS, NO_FINDING, OTHER


def mark_contradictions(
    codes: np.ndarray, classes: Sequence[str], sentences: Sequence[str]
) -> np.ndarray:
    """Codes int8 [K, C] of sentences with `CONTRADICTED` as "No Finding" of those that name one.

    Args:
      codes: of each sentence.
      classes: C names.
      sentences: K texts.
    """
    column, findings = _columns(tuple(classes))
    if column is None or len(codes) < 2 or not (codes[:, column] == POSITIVE).any():
        return codes
    named = np.asarray(np.isin(codes[:, findings], (POSITIVE, UNCERTAIN)).any(axis=1))
    for k in np.flatnonzero(~named & (codes[:, column] != POSITIVE)).tolist():
        named[k] = label_sentence(sentences[k]).get(OTHER, 0) != 0
    marked = codes.copy()
    marked[named, column] = CONTRADICTED
    return marked


def without_marks(codes: np.ndarray) -> np.ndarray:
    """Codes of whole texts, "No Finding" blank where a sentence contradicts it."""
    return np.where(codes == CONTRADICTED, np.int8(BLANK), codes)


@lru_cache(maxsize=64)
def _columns(classes: tuple[str, ...]) -> tuple[int | None, np.ndarray]:
    """The column of "No Finding", None where there is none, and those of findings."""
    names = [label_key(name) for name in classes]
    normal = label_key(NO_FINDING)
    findings = [c for c, name in enumerate(names) if name != normal and name not in HARMLESS]
    return names.index(normal) if normal in names else None, np.array(findings, int)
