# SPDX-License-Identifier: Apache-2.0
"""What a scene graph, or the gold tables, say of one image: boxes of regions, and findings in them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from medst_jax.data.records.annotations import Phrase
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing.annotated import Place
from medst_jax.data_pipelines.listing.json_file import cell_of

# Of the categories of attributes: what is seen, not how the image was made or what it holds up.
FINDINGS = ("anatomicalfinding", "disease")
CORNERS = ("original_x1", "original_y1", "original_x2", "original_y2")


@dataclass(frozen=True)
class Graph:
    """regions: corners x0, y0, x1, y1 by name, in source pixels. findings: names of regions."""

    regions: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)
    findings: dict[str, dict[str, None]] = field(default_factory=dict)

    def add(self, finding: str, region: str) -> None:
        """A finding is in a region."""
        self.findings.setdefault(finding, {})[region] = None

    def phrases(self, place: Place) -> Iterator[Phrase]:
        """One phrase for every region and for every finding, with the boxes of its regions."""
        named = [(name, [name]) for name in self.regions]
        for text, regions in (*named, *self.findings.items()):
            boxes = [self.regions[name] for name in regions if name in self.regions]
            inside = _clipped(np.array(boxes, np.float64).reshape(-1, 4), place)
            if len(inside):
                yield Phrase(
                    row=place.row,
                    image=place.image,
                    text=text,
                    finding=text,
                    boxes=place.boxes(inside),
                    masks=np.zeros(0, np.int32),
                )


def read_graph(data: bytes) -> Graph:
    """The graph of a `DICOM_SceneGraph.json`.

    Raises:
      CellError: not JSON of that form.
    """
    graph = Graph()
    try:
        content = json.loads(data)
        for entry in content["objects"]:
            corners = _corners(entry)
            if corners is not None:
                graph.regions[cell_of(entry["bbox_name"])] = corners
        for entry in content["attributes"]:
            for group in entry["attributes"]:
                for attribute in group:
                    category, said, name = attribute.split("|")
                    if category in FINDINGS and said == "yes":
                        graph.add(cell_of(name), cell_of(entry["bbox_name"]))
    except (
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise CellError("scene graph of another form") from error
    return graph


def _corners(entry: Any) -> tuple[float, float, float, float] | None:
    """Corners of an object; None where it has no box in the image's own pixels."""
    values = [entry.get(name) for name in CORNERS]
    if any(value is None for value in values):
        return None
    x0, y0, x1, y1 = map(float, values)
    return (x0, y0, x1, y1) if all(map(math.isfinite, (x0, y0, x1, y1))) else None


def _clipped(corners: np.ndarray, place: Place) -> np.ndarray:
    """The parts of boxes inside the image; those without area fall away."""
    limits = (place.width, place.height, place.width, place.height)
    inside = np.clip(corners, 0, limits)
    return inside[(inside[:, 2] > inside[:, 0]) & (inside[:, 3] > inside[:, 1])]
