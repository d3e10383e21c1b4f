# SPDX-License-Identifier: Apache-2.0
"""How systems with an edema head answer: cumulative logits, under these labels."""

import numpy as np

# The names under which systems answer "0 v 123", "01 v 23", "012 v 3" by `class_logits`.
HEAD_LABELS = ("Edema >= 1", "Edema >= 2", "Edema >= 3")


def from_cumulative(logits: np.ndarray) -> np.ndarray:
    """Probabilities [n, 4] of the grades from logits [n, 3] of severity >= 1, 2, 3.

    Heads whose questions are asked apart may cross; a negative difference then counts as 0.
    """
    above = 1.0 / (1.0 + np.exp(-np.clip(logits.astype(np.float64), -60, 60)))
    edges = np.concatenate([np.ones((len(above), 1)), above, np.zeros((len(above), 1))], axis=1)
    parts = np.maximum(edges[:, :-1] - edges[:, 1:], 0.0)
    return parts / parts.sum(1, keepdims=True)
