# SPDX-License-Identifier: Apache-2.0
"""The rows of `metrics.json`: one number, where it comes from and its interval."""

import dataclasses
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from etils import epath

from medst_jax.files.reading import read_json, reading
from medst_jax.files.writing import write_atomic

SMALL = "n too small"
CONTAMINATED = "contaminated"
Exposure = Literal["clean", "contaminated", "unknown"]
_WORST_FIRST: tuple[Exposure, ...] = ("contaminated", "unknown")
FAILED = "failed"  # metric of a row without a value: its task failed


@dataclasses.dataclass(frozen=True)
class Row:
    """One measured number; `low` and `high` bound its 95% patient bootstrap, None where absent.

    Attributes:
      n: images (retrieval: pairs) behind the number.
      seed: training seed of the system.
      note: empty, or reasons for caution joined by "; " ("n too small", "contaminated", ...).
      exposure: whether the system has seen these data in training: "clean", "contaminated" or
        "unknown", which rows of earlier files are.
    """

    system: str
    dataset: str
    task: str
    protocol: str
    metric: str
    value: float
    low: float | None
    high: float | None
    n: int
    seed: int
    note: str = ""
    exposure: str = "unknown"


def worst(exposures: Iterable[str]) -> Exposure:
    """Of what was trained or measured in several places: contaminated, else unknown, else clean."""
    present = set(exposures)
    return next((exposure for exposure in _WORST_FIRST if exposure in present), "clean")


def write_rows(path: epath.PathLike, rows: Iterable[Row]) -> None:
    """Write strict JSON: numbers that are not finite become null."""
    content = [{key: _finite(value) for key, value in vars(row).items()} for row in rows]
    write_atomic(path, json.dumps(content, indent=1, allow_nan=False) + "\n", durable=True)


def read_rows(path: epath.PathLike) -> list[Row]:
    """The rows written by `write_rows`; a null value comes back as NaN."""
    remedy = "evaluate again"
    content = read_json(path, remedy, [dict])
    with reading(path, "rows of metrics", remedy):
        return [
            Row(**{**r, "value": math.nan if r["value"] is None else r["value"]}) for r in content
        ]


def format_table(rows: Sequence[Row]) -> str:
    """A plain-text table with one line per row."""
    header = ("dataset", "task", "protocol", "metric", "value", "95% interval", "n", "seen", "note")
    lines = [header] + [
        (
            *(r.dataset, r.task, r.protocol, r.metric, _number(r.value), interval(r), str(r.n)),
            *(r.exposure, r.note),
        )
        for r in rows
    ]
    widths = [max(len(line[k]) for line in lines) for k in range(len(header))]
    text = ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) for line in lines]
    text.insert(1, "  ".join("-" * w for w in widths))
    return "\n".join(line.rstrip() for line in text)


def interval(row: Row) -> str:
    """The bounds of a row as text, empty where it has none."""
    if row.low is None or row.high is None:
        return ""
    return f"{_number(row.low)} to {_number(row.high)}"


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "n/a"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
