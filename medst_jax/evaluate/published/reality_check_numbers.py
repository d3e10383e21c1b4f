# SPDX-License-Identifier: Apache-2.0
"""Numbers of "A Reality Check of Vision-Language Pre-training in Radiology" (arXiv:2504.05227), percent.

Average accuracy over classes (the mean of their recalls). None where the paper has no number.
"""

from collections.abc import Mapping

Numbers = Mapping[str, tuple[float | None, ...]]


def _row(values: str) -> tuple[float | None, ...]:
    """Values apart by spaces, "-" for none, so that a row of the paper stays together."""
    return tuple(None if value == "-" else float(value) for value in values.split())


# CheXpert 5x200, MIMIC 5x200, SIIM, RSNA, NIH-LT base, new, VinDr-PCXR base, new; mean of the base
# columns (the first four are all base), of the new ones, and of these two means.
TABLE_2_HEADS = (
    *("CheXpert", "MIMIC", "SIIM", "RSNA", "NIH base", "NIH new", "VinDr base", "VinDr new"),
    *("mean base", "mean new", "mean"),
)
TABLE_2_ZERO_SHOT: Numbers = {
    "CLIP": _row("51.50 49.70 77.80 63.04 40.98 29.10 68.66 32.20 58.61 30.65 44.63"),
    "UniCL": _row("45.40 46.60 75.30 90.86 57.66 9.10 73.16 42.20 64.83 25.65 45.24"),
    "Unimodal": _row("42.80 47.40 77.20 94.60 61.70 - 65.80 - 64.92 - -"),
    "DLILP": _row("49.50 48.60 77.90 93.50 60.80 29.10 54.20 31.10 64.08 30.10 47.09"),
}
TABLE_2_PROBE: Numbers = {
    "CLIP": _row("54.50 49.60 69.10 93.20 46.52 32.50 71.68 38.20 64.10 35.35 49.73"),
    "UniCL": _row("53.10 50.90 65.58 93.78 46.50 27.52 71.32 37.54 63.53 32.53 48.03"),
    "Unimodal": _row("54.20 53.70 67.68 94.36 47.16 33.20 75.34 37.44 65.41 35.32 50.37"),
    "DLILP": _row("55.60 54.50 72.74 93.82 50.66 32.24 71.36 40.76 66.45 36.50 51.48"),
}
# COVID-19 radiographs: 2 classes by names and descriptions, 4 classes likewise.
TABLE_3_HEADS = ("2 names", "2 descriptions", "4 names", "4 descriptions")
TABLE_3: Numbers = {
    "MedCLIP": (74.1, 78.8, 40.5, 42.9),
    "MedKLIP": (51.8, 82.9, 20.2, 32.5),
    "CLIP": (69.6, 74.2, 32.7, 48.8),
    "UniCL": (80.5, 83.7, 45.5, 44.8),
    "Unimodal": (None, 85.1, None, 51.6),
    "DLILP": (77.0, 81.6, 36.6, 50.0),
}
# The mean of seven tasks, 16 shots; by method, and what it was trained on.
TABLE_4: Mapping[tuple[str, str], float] = {
    ("MedKLIP", "M"): 46.90,
    ("KED", "M"): 51.38,
    ("BioViL", "M and others"): 52.59,
    ("Unimodal", "M"): 55.83,
    ("DLILP", "M"): 57.08,
    ("GLoRIA", "C"): 51.40,
    ("Unimodal", "C"): 56.96,
    ("MedCLIP", ""): 55.67,
    ("CXR-CLIP", ""): 55.52,
    ("Unimodal", "M+C"): 58.29,
    ("DLILP", "M+C"): 59.05,
    ("Unimodal", "M+C+P"): 59.21,
    ("DLILP", "M+C+P"): 59.09,
}
