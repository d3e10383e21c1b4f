# SPDX-License-Identifier: Apache-2.0
"""Labels against the truth, for data sets that have one: read from `truth_*` features alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from medst_jax.data.records import schema
from medst_jax.data.records.study import Study
from medst_jax.text.mentions import FINDINGS as OBSERVATIONS

FRONTAL, LATERAL = 1, 2  # bits of `truth_visible_in`
_DEVICES, _NORMAL = "Support Devices", "No Finding"


def truth_statistics(
    studies: Iterable[Study], labels: Sequence[str], names: Sequence[str]
) -> dict[str, Any]:
    """Statistics over studies that were opened with truth=True.

    Args:
      studies: of one data set.
      labels: its vocabulary.
      names: of the findings of its truth features, in their order.

    Returns:
      Per finding the share of studies where it is present, and where it can be seen; where among
      those (frontal only, lateral only, both); for those that are labels also the sensitivity
      and specificity of the label against what can be seen, with uncertain labels counted as
      positive, and the share of uncertain ones among the visible.
    """
    present, visible, codes = [], [], []
    for study in studies:
        present.append(study.truth["truth_findings"])
        visible.append(study.truth["truth_visible_in"])
        codes.append(study.labels)
    return _tabulate(names, labels, np.array(present), np.array(visible), np.array(codes))


def _tabulate(
    names: Sequence[str],
    labels: Sequence[str],
    present: np.ndarray,
    visible: np.ndarray,
    codes: np.ndarray,
) -> dict[str, Any]:
    seen = visible > 0
    # Nothing but devices: "No Finding" holds when no other of the labels can be seen.
    observed = set(OBSERVATIONS) - {_DEVICES, _NORMAL}
    others = [i for i, name in enumerate(names) if name in observed]
    table = {}
    for i, name in enumerate(names):
        truth = ~seen[:, others].any(1) if name == _NORMAL else seen[:, i]
        row: dict[str, Any] = {"present": _mean(present[:, i] > 0), "visible": _mean(truth)}
        if name != _NORMAL:
            row |= {
                "frontal_only": _mean(visible[truth, i] == FRONTAL),
                "lateral_only": _mean(visible[truth, i] == LATERAL),
                "both": _mean(visible[truth, i] == (FRONTAL | LATERAL)),
            }
        if name in labels:
            code = codes[:, labels.index(name)]
            positive = (code == schema.POSITIVE) | (code == schema.UNCERTAIN)
            row |= {
                "sensitivity": _mean(positive[truth]),
                "specificity": _mean(~positive[~truth]),
                "uncertain_of_visible": _mean(code[truth] == schema.UNCERTAIN),
            }
        table[name] = row
    return {"studies": len(codes), "findings": table, "overall": _overall(table)}


def _overall(table: dict[str, dict[str, Any]]) -> dict[str, Any]:
    result = {}
    for key in ("sensitivity", "specificity"):
        values = [row[key] for name, row in table.items() if row.get(key) is not None]
        result[key] = round(float(np.mean(values)), 4) if values else None
    return result


def _mean(values: Any) -> float | None:
    return round(float(np.mean(values)), 4) if len(values) else None
