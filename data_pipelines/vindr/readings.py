# SPDX-License-Identifier: Apache-2.0
"""The tables of the VinDr releases: several readers per image, one-hot labels, boxes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from etils import epath

from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableRow
from medst_jax.data_pipelines.listing.item import Box
from medst_jax.data_pipelines.raw import Reject

_READER = ("rad_id", "rad_ID")
# The test table of VinDr-CXR names one column otherwise than the training table.
_ONE_NAME = {"Other disease": "Other diseases"}
_SIDES = ("x_min", "y_min", "x_max", "y_max")


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reader says of one image: the findings that are there. row: of the table."""

    row: int
    image: str
    reader: str
    findings: frozenset[str]


def read_one_hot(path: epath.Path) -> tuple[list[Reading], list[Reject], tuple[str, ...]]:
    """Readings of a table with one column per label, the rejects and the labels."""
    table = CsvTable(path).need("image_id")
    columns = [n for n in table.names if n and n not in ("image_id", *_READER)]
    label_of = {column: _ONE_NAME.get(column, column) for column in columns}
    labels = tuple(label_of.values())

    def parse(row: TableRow) -> Reading:
        image = cells.file_stem(row.get("image_id"), "image_id")
        present = frozenset(label for c, label in label_of.items() if cells.flag(row.get(c), c))
        return Reading(row.line, image, _reader(row), present)

    readings, rejects = table.parse(parse)
    return readings, rejects, labels


def read_boxes(
    path: epath.Path, labels: Sequence[str]
) -> tuple[list[Reading], dict[str, tuple[Box, ...]], list[Reject]]:
    """Readings and boxes of a table with one row per box; a row without box names no place."""

    def parse(row: TableRow) -> tuple[Reading, Box | None]:
        image = cells.file_stem(row.get("image_id"), "image_id")
        name = cells.needed(row.get("class_name"), "class_name")
        name = _ONE_NAME.get(name, name)
        if name not in labels:
            raise CellError("class_name is unknown")
        reading = Reading(row.line, image, _reader(row), frozenset([name]))
        if not row.get(_SIDES[0]):
            return reading, None
        x0, y0, x1, y1 = (cells.number(cells.needed(row.get(s), s), s) for s in _SIDES)
        if x1 <= x0 or y1 <= y0:
            raise CellError("box without area")
        return reading, Box(name, x0, y0, x1, y1)

    pairs, rejects = CsvTable(path).need("image_id", "class_name", *_SIDES).parse(parse)
    boxes: dict[str, list[Box]] = defaultdict(list)
    for reading, box in pairs:
        if box is not None:
            boxes[reading.image].append(box)
    return (
        [reading for reading, _ in pairs],
        {image: tuple(image_boxes) for image, image_boxes in boxes.items()},
        rejects,
    )


def _reader(row: TableRow) -> str:
    return next((row.get(name) for name in _READER if row.get(name)), "")


def vote(
    readings: Iterable[Reading], labels: Sequence[str]
) -> dict[str, tuple[int, Mapping[str, int]]]:
    """(first row, label codes) of every image: positive by more than half of its readers."""
    by_image: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    first: dict[str, int] = {}
    for reading in readings:
        first.setdefault(reading.image, reading.row)
        by_image[reading.image][reading.reader] |= reading.findings
    votes: dict[str, tuple[int, Mapping[str, int]]] = {}
    for image, readers in by_image.items():
        count = Counter(finding for findings in readers.values() for finding in findings)
        codes = {label: int(2 * count[label] > len(readers)) for label in labels}
        votes[image] = (first[image], codes)
    return votes
