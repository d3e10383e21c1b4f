# SPDX-License-Identifier: Apache-2.0
"""The grounded reports of PadChest-GR: studies of sentences with labels, boxes and progression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etils import epath

from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing.csv_table import TableError
from medst_jax.data_pipelines.listing.json_file import cell_of, read_json
from medst_jax.data_pipelines.raw import Reject

FILE = "grounded_reports_20240819.json"
# 1 worse, 0 unchanged, -1 better.
_PROGRESSION = {
    **dict.fromkeys(("worsened", "worsening", "worse"), 1),
    **dict.fromkeys(("stable", "unchanged"), 0),
    **dict.fromkeys(("improved", "improving", "better"), -1),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence of a report.

    text: by language. boxes: corners x0, y0, x1, y1 in 0 to 1 of the image. progression: 1
    worse, 0 unchanged, -1 better, None not stated; `unknown_word` when it is stated otherwise.
    """

    text: Mapping[str, str]
    abnormal: bool
    labels: tuple[str, ...]
    boxes: tuple[tuple[float, float, float, float], ...]
    progression: int | None
    unknown_word: bool


@dataclass(frozen=True, slots=True)
class GroundedStudy:
    """A study of one image; `number` is its 1-based place in the file, prior_* are "" without one."""

    number: int
    study: str
    image: str
    prior_study: str
    prior_image: str
    findings: tuple[Finding, ...]


def read_reports(source_dir: str) -> tuple[list[GroundedStudy], list[Reject]]:
    """The studies, and rejects of entries and boxes that cannot be.

    Raises:
      TableError: the file is missing or not JSON.
    """
    path = epath.Path(source_dir) / FILE
    if not path.exists():
        raise TableError(f"{path} does not exist: --source_dir must be a folder with {FILE}")
    studies: list[GroundedStudy] = []
    rejects: list[Reject] = []
    seen: set[str] = set()
    for number, entry in enumerate(read_json(path, list), 1):
        try:
            study = _study(number, _object(entry, "entry"), rejects)
            if study.image in seen:
                raise CellError("ImageID occurs twice")
        except CellError as error:
            rejects.append(Reject(number, str(error)))
            continue
        seen.add(study.image)
        studies.append(study)
    return studies, rejects


def _study(number: int, entry: Mapping[str, Any], rejects: list[Reject]) -> GroundedStudy:
    prior = cell_of(entry.get("PreviousImageID"))
    return GroundedStudy(
        number=number,
        study=cells.needed(cell_of(entry.get("StudyID")), "StudyID"),
        image=cells.file_stem(cell_of(entry.get("ImageID")), "ImageID"),
        prior_study=cell_of(entry.get("PreviousStudyID")),
        prior_image=cells.file_stem(prior, "PreviousImageID") if prior else "",
        findings=tuple(
            _finding(number, _object(finding, "finding"), rejects)
            for finding in _list(entry.get("findings"), "findings")
        ),
    )


def _finding(number: int, finding: Mapping[str, Any], rejects: list[Reject]) -> Finding:
    boxes = []
    for box in _list(finding.get("boxes"), "boxes"):
        try:
            boxes.append(_box(box))
        except CellError as error:
            rejects.append(Reject(number, str(error)))
    word = cell_of(finding.get("progression")).lower()
    return Finding(
        text={language: cell_of(finding.get(f"sentence_{language}")) for language in ("en", "es")},
        abnormal=finding.get("abnormal") is True,
        labels=tuple(
            dict.fromkeys(
                cell_of(name).lower()
                for name in _list(finding.get("labels"), "labels")
                if isinstance(name, str) and name.strip()
            )
        ),
        boxes=tuple(boxes),
        progression=_PROGRESSION.get(word),
        unknown_word=bool(word) and word not in _PROGRESSION,
    )


def _box(box: Any) -> tuple[float, float, float, float]:
    corners = _list(box, "box")
    if len(corners) != 4 or not all(isinstance(c, (int, float)) for c in corners):
        raise CellError("box is not four numbers")
    x0, y0, x1, y1 = corners
    if not (0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1):
        raise CellError("box is not x1, y1, x2, y2 in 0 to 1 of the image")
    return float(x0), float(y0), float(x1), float(y1)


def _object(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise CellError(f"{name} is not a JSON object")
    return value


def _list(value: Any, name: str) -> Sequence[Any]:
    """The list; null and an absent one are empty."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise CellError(f"{name} is not a list")
    return value
