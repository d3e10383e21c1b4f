# SPDX-License-Identifier: Apache-2.0
"""Numbers of "A Reality Check of Vision-Language Pre-training in Radiology" (arXiv:2504.05227), to stand
beside ours: measured on other data, and so no test of this code."""

import dataclasses
from collections.abc import Mapping


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


def _row(values: str) -> tuple[float | None, ...]:
    """Values apart by spaces, "-" for none, so that a row of the paper stays together."""
    return tuple(None if value == "-" else float(value) for value in values.split())


_BOTH = "M+C"

TABLES = (
    Published(
        title="Table 2: average accuracy over classes, zero-shot and with 16 shots",
        ours={
            "all": {_ZERO: ("names", "prototypes"), _PROBE: ("probe/16 shots",)},
            "base": {_ZERO: ("base new/base",)},
            "new": {_ZERO: ("base new/new",)},
        },
        heads=(
            "CheXpert",
            "MIMIC",
            "SIIM",
            "RSNA",
            "NIH base",
            "NIH new",
            "VinDr base",
            "VinDr new",
            "mean base",
            "mean new",
            "mean",
        ),
        rows={
            ("CLIP", _ZERO, "clip", _BOTH): _row(
                "51.50 49.70 77.80 63.04 40.98 29.10 68.66 32.20 58.61 30.65 44.63"
            ),
            ("UniCL", _ZERO, "unicl", _BOTH): _row(
                "45.40 46.60 75.30 90.86 57.66 9.10 73.16 42.20 64.83 25.65 45.24"
            ),
            ("Unimodal", _ZERO, "unimodal", _BOTH): _row(
                "42.80 47.40 77.20 94.60 61.70 - 65.80 - 64.92 - -"
            ),
            ("DLILP", _ZERO, "dlilp", _BOTH): _row(
                "49.50 48.60 77.90 93.50 60.80 29.10 54.20 31.10 64.08 30.10 47.09"
            ),
            ("CLIP", _PROBE, "clip", _BOTH): _row(
                "54.50 49.60 69.10 93.20 46.52 32.50 71.68 38.20 64.10 35.35 49.73"
            ),
            ("UniCL", _PROBE, "unicl", _BOTH): _row(
                "53.10 50.90 65.58 93.78 46.50 27.52 71.32 37.54 63.53 32.53 48.03"
            ),
            ("Unimodal", _PROBE, "unimodal", _BOTH): _row(
                "54.20 53.70 67.68 94.36 47.16 33.20 75.34 37.44 65.41 35.32 50.37"
            ),
            ("DLILP", _PROBE, "dlilp", _BOTH): _row(
                "55.60 54.50 72.74 93.82 50.66 32.24 71.36 40.76 66.45 36.50 51.48"
            ),
        },
    ),
    Published(
        title="Table 3: zero-shot by names and by descriptions (the paper's: COVID-19, 2 and 4 classes)",
        ours={
            "names": {_ZERO: ("names", "prototypes")},
            "descriptions": {_ZERO: ("descriptions",)},
        },
        heads=("2 names", "2 descriptions", "4 names", "4 descriptions"),
        rows={
            ("MedCLIP", _ZERO, "", ""): (74.1, 78.8, 40.5, 42.9),
            ("MedKLIP", _ZERO, "", ""): (51.8, 82.9, 20.2, 32.5),
            ("CLIP", _ZERO, "clip", _BOTH): (69.6, 74.2, 32.7, 48.8),
            ("UniCL", _ZERO, "unicl", _BOTH): (80.5, 83.7, 45.5, 44.8),
            ("Unimodal", _ZERO, "unimodal", _BOTH): (None, 85.1, None, 51.6),
            ("DLILP", _ZERO, "dlilp", _BOTH): (77.0, 81.6, 36.6, 50.0),
        },
    ),
    Published(
        title="Table 4: 16 shots by what was trained on (the paper's: mean of seven tasks)",
        ours={"16 shots": {_PROBE: ("probe/16 shots",)}},
        heads=("mean",),
        rows={
            ("MedKLIP (M)", _PROBE, "", ""): (46.90,),
            ("KED (M)", _PROBE, "", ""): (51.38,),
            ("BioViL (M and others)", _PROBE, "", ""): (52.59,),
            ("Unimodal (M)", _PROBE, "unimodal", "M"): (55.83,),
            ("DLILP (M)", _PROBE, "dlilp", "M"): (57.08,),
            ("GLoRIA (C)", _PROBE, "", ""): (51.40,),
            ("Unimodal (C)", _PROBE, "unimodal", "C"): (56.96,),
            ("MedCLIP", _PROBE, "", ""): (55.67,),
            ("CXR-CLIP", _PROBE, "", ""): (55.52,),
            ("Unimodal (M+C)", _PROBE, "unimodal", "M+C"): (58.29,),
            ("DLILP (M+C)", _PROBE, "dlilp", "M+C"): (59.05,),
            ("Unimodal (M+C+P)", _PROBE, "unimodal", "M+C+P"): (59.21,),
            ("DLILP (M+C+P)", _PROBE, "dlilp", "M+C+P"): (59.09,),
        },
    ),
)
