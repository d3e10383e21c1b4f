# SPDX-License-Identifier: Apache-2.0
"""Our values of a row, read from the expanded configuration, beside the paper's and the release's."""

import dataclasses
import fnmatch
from collections.abc import Mapping
from typing import Any, Literal

from experiments.recipes.source import Row, Source, SourceError

Verdict = Literal["equal", "other", ""]
_EXACT, _COUNTED = 1e-6, 0.02  # of values; of epochs, which are whole steps and rounded counts


@dataclasses.dataclass(frozen=True)
class Compared:
    """A row with our values.

    Attributes:
      row: of the source.
      ours: our values by key.
      paper: whether they are the paper's; "" where the source has no values to compare.
      release: the same of the release.
      departs: whether ours differs from either.
    """

    row: Row
    ours: dict[str, Any]
    paper: Verdict
    release: Verdict

    @property
    def departs(self) -> bool:
        return self.row.departs or "other" in (self.paper, self.release)

    @property
    def outlived(self) -> bool:
        """Whether there is a reason and no departure."""
        return bool(self.row.why) and not self.departs


def compare(source: Source, config: Mapping[str, Any]) -> dict[str, Compared]:
    """All rows of a sheet.

    Args:
      source: of the sheet.
      config: the expanded configuration.

    Raises:
      SourceError: a key that the configuration lacks, or a departure without a reason.
    """
    values = {**config, **_counted(source.examples, config)}
    result = {}
    for key, row in source.rows.items():
        where = f"{source.name}.toml: [{key}]"
        asked = (*row.paper_is, *row.release_is, *row.ours)
        ours = {k: v for pattern in asked for k, v in _matches(where, pattern, values).items()}
        paper, release = (_verdict(w, ours) for w in (row.paper_is, row.release_is))
        compared = Compared(row, ours, paper, release)
        if compared.departs and not row.why:
            raise SourceError(f"{where}: ours differs ({_first(row, ours)}) and there is no why")
        result[key] = compared
    return result


def _counted(examples: int, config: Mapping[str, Any]) -> dict[str, float]:
    steps, batch = config["train.steps"], config["train.batch_size"]
    warmup = config["optimizer.warmup_steps"]
    counted = {"warmup_share": warmup / steps if steps else 0.0}
    if examples:
        counted |= {"epochs": steps * batch / examples, "warmup_epochs": warmup * batch / examples}
    return counted


def _matches(where: str, pattern: str, values: Mapping[str, Any]) -> dict[str, Any]:
    optional, pattern = pattern.endswith("?"), pattern.removesuffix("?")
    matches = {k: v for k, v in values.items() if fnmatch.fnmatchcase(k, pattern)}
    if not matches and not optional:
        raise SourceError(f"{where}: the configuration has no {pattern}")
    return matches


def _verdict(wanted: Mapping[str, Any], ours: Mapping[str, Any]) -> Verdict:
    if not wanted:
        return ""
    return "equal" if not _differing(wanted, ours) else "other"


def _differing(wanted: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """Wanted values that ours are not, by our key, or by the pattern where no key fits."""
    result = {}
    for pattern, value in wanted.items():
        keys = fnmatch.filter(ours, pattern.removesuffix("?")) or [pattern.removesuffix("?")]
        result |= {key: value for key in keys if not _same(key, value, ours.get(key))}
    return result


def _same(key: str, wanted: Any, ours: Any) -> bool:
    if isinstance(wanted, list) and isinstance(ours, list):
        pairs = zip(wanted, ours, strict=False)
        return len(wanted) == len(ours) and all(_same(key, a, b) for a, b in pairs)
    numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in (wanted, ours))
    if not numbers:
        return type(wanted) is type(ours) and bool(wanted == ours)
    tolerance = _EXACT if "." in key else _COUNTED
    return abs(wanted - ours) <= tolerance * max(abs(wanted), abs(ours))


def _first(row: Row, ours: Mapping[str, Any]) -> str:
    for wanted in (row.paper_is, row.release_is):
        for key, value in _differing(wanted, ours).items():
            return f"{key} is {ours.get(key)!r}, not {value!r}"
    return "as it says itself"
