# SPDX-License-Identifier: Apache-2.0
"""Chest ImaGenome 1.0.0 as phrases on MIMIC-CXR-JPG's images.

The folder is a MIMIC-CXR-JPG one (see `medst_jax.data_pipelines.mimic_cxr.jpg`) with the release's folders in it:

| data set | files |
|---|---|
| chest_imagenome | `silver_dataset/scene_graph/DICOM_SceneGraph.json` (unpack scene_graph.zip), `silver_dataset/splits/` |
| chest_imagenome_gold | `gold_dataset/gold_bbox_coordinate_annotations_1000images.csv`, `gold_object_attribute_with_coordinates.txt` |

The splits are MIMIC-CXR's: the release's own ignore them, and test on 12,392 of its training
patients. Patients of the gold images are left out of `chest_imagenome` and counted; all of `chest_imagenome_gold` is
for evaluation. A phrase is the name of a region with its box, or of a finding with the
boxes of the regions it is in.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from absl import logging
from etils import epath

from medst_jax.data.records.annotations import Annotation
from medst_jax.data.records.studies import Studies
from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.chest_imagenome import graph
from medst_jax.data_pipelines.chest_imagenome.graph import Graph
from medst_jax.data_pipelines.listing.annotated import Place, places, tables_hash
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableError, TableRow, need_table
from medst_jax.data_pipelines.listing.item import Item, Listing
from medst_jax.data_pipelines.mimic_cxr.jpg import MimicCxrJpg
from medst_jax.data_pipelines.mimic_cxr.tables import dicom_id
from medst_jax.data_pipelines.raw import Reject

_SILVER = "silver_dataset"
_LISTS = ("train", "valid", "test")
_AVOID = "images_to_avoid.csv"
_GOLD_BOXES = "gold_dataset/gold_bbox_coordinate_annotations_1000images.csv"
_GOLD_FINDINGS = "gold_dataset/gold_object_attribute_with_coordinates.txt"


@dataclass(frozen=True)
class ChestImaGenome(MimicCxrJpg):
    """The images of the silver set, without the gold patients."""

    name: str = "chest_imagenome"

    about = dataclasses.replace(
        MimicCxrJpg.about,
        description="Chest ImaGenome: regions and findings with boxes on MIMIC-CXR images "
        "(Wu et al., arXiv:2108.00316)",
    )

    @property
    def facts(self) -> Mapping[str, Any]:
        return {"tables_hash": tables_hash(*self._tables())}

    def read(self) -> Listing:
        listing = super().read()
        (*lists, avoid), rejects = self._images()
        listed = set().union(*lists)
        known = {item.image_id for item in listing.items}
        gold = {item.patient_id for item in listing.items if item.image_id in avoid}
        annotated = [item for item in listing.items if item.image_id in listed]
        items = [item for item in annotated if item.patient_id not in gold]
        card = {
            "left_out": {"images of gold patients": len(annotated) - len(items)},
            "images_not_in_mimic_cxr": len(listed - known),
            "images_without_graph": sum(not self._graph_file(i.image_id).exists() for i in items),
        }
        if items and card["images_without_graph"] == len(items):
            raise TableError(
                f"{self._graph_file('DICOM').parent} has no scene graph of these images: unpack scene_graph.zip "
                f"into {_SILVER}/"
            )
        return _with(listing, items, rejects, card)

    def annotation_configs(self) -> Sequence[str]:
        return ("phrases",)

    def annotations(
        self, config: str, splits: Sequence[str], open_split: Callable[[str], Studies]
    ) -> Mapping[str, Iterable[Annotation]]:
        del config
        stored = places(splits, open_split)
        return {split: self._phrases(split, stored) for split in splits}

    def _phrases(self, split: str, stored: Mapping[str, Place]) -> Iterator[Annotation]:
        """One file after the other: all of them do not fit into memory."""
        damaged = 0
        for image, place in stored.items():
            file = self._graph_file(image)
            if place.split != split or not file.exists():
                continue
            try:
                yield from graph.read_graph(file.read_bytes()).phrases(place)
            except CellError:
                damaged += 1
        if damaged:
            logging.warning("%s/%s: %d scene graphs are damaged", self.name, split, damaged)

    def _graph_file(self, image: str) -> epath.Path:
        folder = epath.Path(self.source_dir) / _SILVER / "scene_graph"
        return folder / f"{image}_SceneGraph.json"

    def _tables(self) -> list[epath.Path]:
        folder = epath.Path(self.source_dir) / _SILVER / "splits"
        return [need_table(folder, name) for name in (*(f"{k}.csv" for k in _LISTS), _AVOID)]

    def _images(self) -> tuple[list[set[str]], list[Reject]]:
        accepted, rejects = [], []
        for path in self._tables():
            ids, refused = CsvTable(path).need("dicom_id").parse(_dicom)
            accepted.append(set(ids))
            rejects += [Reject(r.row, f"{path.name}: {r.reason}") for r in refused]
        return accepted, rejects


@dataclass(frozen=True)
class ChestImaGenomeGold(MimicCxrJpg):
    """The images of the gold set, for evaluation."""

    name: str = "chest_imagenome_gold"

    about = dataclasses.replace(
        ChestImaGenome.about,
        evaluation_only=True,
        description="Chest ImaGenome, gold: regions and findings that radiologists checked "
        "(Wu et al., arXiv:2108.00316)",
    )

    @property
    def facts(self) -> Mapping[str, Any]:
        names = (_GOLD_BOXES, _GOLD_FINDINGS)
        return {"tables_hash": tables_hash(*(need_table(self.source_dir, n) for n in names))}

    def read(self) -> Listing:
        listing = super().read()
        graphs, rejects = self._graphs
        items = [
            dataclasses.replace(item, split="test")
            for item in listing.items
            if item.image_id in graphs
        ]
        return _with(listing, items, rejects, {"images_not_in_mimic_cxr": len(graphs) - len(items)})

    def annotation_configs(self) -> Sequence[str]:
        return ("phrases",)

    def annotations(
        self, config: str, splits: Sequence[str], open_split: Callable[[str], Studies]
    ) -> Mapping[str, Iterable[Annotation]]:
        del config
        stored = places(splits, open_split)
        graphs = self._graphs[0]
        return {"test": [p for image, at in stored.items() for p in graphs[image].phrases(at)]}

    @functools.cached_property
    def _graphs(self) -> tuple[dict[str, Graph], list[Reject]]:
        graphs: dict[str, Graph] = {}
        boxes = CsvTable(need_table(self.source_dir, _GOLD_BOXES))
        rows, rejects = boxes.need("image_id", "bbox_name", *graph.CORNERS).parse(_box)
        for image, name, corners in rows:
            graphs.setdefault(image, Graph()).regions[name] = corners
        table = CsvTable(need_table(self.source_dir, _GOLD_FINDINGS))
        accepted, refused = table.need(
            "image_id", "bbox", "context", "categoryID", "label_name"
        ).parse(_finding)
        for image, finding, region in accepted:
            if finding and image in graphs:
                graphs[image].add(finding, region)
        return graphs, [
            *(Reject(r.row, f"gold boxes: {r.reason}") for r in rejects),
            *(Reject(r.row, f"gold findings: {r.reason}") for r in refused),
        ]


def _with(
    listing: Listing, items: list[Item], rejects: list[Reject], card: Mapping[str, Any]
) -> Listing:
    return dataclasses.replace(
        listing,
        items=items,
        rejects=[*listing.rejects, *rejects],
        card={**listing.card, **card},
    )


def _dicom(row: TableRow) -> str:
    return dicom_id(row.get("dicom_id"))


def _box(row: TableRow) -> tuple[str, str, tuple[float, float, float, float]]:
    x0, y0, x1, y1 = (cells.number(cells.needed(row.get(c), c), c) for c in graph.CORNERS)
    name = cells.needed(row.get("bbox_name"), "bbox_name")
    return dicom_id(row.get("image_id")), name, (x0, y0, x1, y1)


def _finding(row: TableRow) -> tuple[str, str, str]:
    """Image, finding and region; the finding is "" where it is denied or of another category."""
    seen = row.get("context") == "yes" and row.get("categoryID").lower() in graph.FINDINGS
    region = cells.needed(row.get("bbox"), "bbox")
    return dicom_id(row.get("image_id")), row.get("label_name") if seen else "", region
