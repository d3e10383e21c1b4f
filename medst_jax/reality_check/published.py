# SPDX-License-Identifier: Apache-2.0
"""Numbers of "A Reality Check of Vision-Language Pre-training in Radiology" (arXiv:2504.05227), to stand
beside ours: measured on other data, and so no test of this code."""

import dataclasses
from collections.abc import Mapping

from medst_jax.evaluate.published.reality_check_numbers import (
    TABLE_2_HEADS,
    TABLE_2_PROBE,
    TABLE_2_ZERO_SHOT,
    TABLE_3,
    TABLE_3_HEADS,
    TABLE_4,
)


@dataclasses.dataclass(frozen=True)
class Published:
    """One table of the paper, in percent.

    Attributes:
      title: what it shows.
      ours: heading to (protocol -> columns of ours, of which the first that a row has is shown);
        protocols are the second part of a row's key.
      heads: the paper's columns.
      rows: (name as printed, protocol, our system, our mixture) to the paper's values.
    """

    title: str
    ours: Mapping[str, Mapping[str, tuple[str, ...]]]
    heads: tuple[str, ...]
    rows: Mapping[tuple[str, str, str, str], tuple[float | None, ...]]


_ZERO, _PROBE = "zero-shot", "16 shots"
_BOTH = "M+C"
# The project's systems among the paper's.
_OURS = {"CLIP": "clip", "UniCL": "unicl", "Unimodal": "unimodal", "DLILP": "dlilp"}


def _rows(
    protocol: str, numbers: Mapping[str, tuple[float | None, ...]]
) -> dict[tuple[str, str, str, str], tuple[float | None, ...]]:
    """Rows of methods that were trained on MIMIC-CXR and CheXpert."""
    return {
        (name, protocol, _OURS.get(name, ""), _BOTH if name in _OURS else ""): values
        for name, values in numbers.items()
    }


TABLES = (
    Published(
        title="Table 2: average accuracy over classes, zero-shot and with 16 shots",
        ours={
            "all": {_ZERO: ("names", "prototypes"), _PROBE: ("probe/16 shots",)},
            "base": {_ZERO: ("base new/base",)},
            "new": {_ZERO: ("base new/new",)},
        },
        heads=TABLE_2_HEADS,
        rows={**_rows(_ZERO, TABLE_2_ZERO_SHOT), **_rows(_PROBE, TABLE_2_PROBE)},
    ),
    Published(
        title="Table 3: zero-shot by names and by descriptions (the paper's: COVID-19, 2 and 4 classes)",
        ours={
            "names": {_ZERO: ("names", "prototypes")},
            "descriptions": {_ZERO: ("descriptions",)},
        },
        heads=TABLE_3_HEADS,
        rows=_rows(_ZERO, TABLE_3),
    ),
    Published(
        title="Table 4: 16 shots by what was trained on (the paper's: mean of seven tasks)",
        ours={"16 shots": {_PROBE: ("probe/16 shots",)}},
        heads=("mean",),
        rows={
            (
                f"{name} ({data})" if data else name,
                _PROBE,
                _OURS.get(name, ""),
                data if name in _OURS else "",
            ): (value,)
            for (name, data), value in TABLE_4.items()
        },
    ),
)
