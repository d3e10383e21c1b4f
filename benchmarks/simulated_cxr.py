# SPDX-License-Identifier: Apache-2.0
"""Speed of the cohort generator, and a sheet of its pictures.

`python benchmarks/simulated_cxr.py` prints images per second and core as JSON; with
`--sheet=FILE.png` it also draws every finding at three severities on PA, AP and lateral images,
with the boxes of the truth.
"""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from absl import app, flags

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_pipelines.simulated_cxr.anatomy import draw_anatomy
from data_pipelines.simulated_cxr.findings import RENDERED
from data_pipelines.simulated_cxr.render import draw_view, render
from data_pipelines.simulated_cxr.seeds import VERSION, stream
from data_pipelines.simulated_cxr.sites import SITES
from data_pipelines.simulated_cxr.source import sources
from data_pipelines.simulated_cxr.states import onset
from data_pipelines.simulated_cxr.visibility import see

SHEET = flags.DEFINE_string("sheet", "", "PNG file to draw the findings into")
PATIENTS = flags.DEFINE_integer("patients", 60, "patients of site M per size")
SIZES = flags.DEFINE_list("sizes", ["64", "96", "224"], "image sizes in pixels")

SEVERITIES = (0.25, 0.6, 0.95)


def speed(size: int, patients: int) -> dict[str, float]:
    """Returns images and studies per second of processor time, reports and truth included."""
    site = sources(patients=patients, size=size, seed=0)[0]
    start, clock = time.process_time(), time.perf_counter()
    studies = [study for unit in site.units() for study in site.studies(unit)]
    seconds, wall = time.process_time() - start, time.perf_counter() - clock
    images = sum(len(study.images) for study in studies)
    return {
        "size": size,
        "images": images,
        "images_per_second_core": round(images / seconds, 1),
        "images_per_second_wall": round(images / wall, 1),
        "studies_per_second_core": round(len(studies) / seconds, 1),
    }


def draw_sheet(file: str, size: int = 224) -> None:
    """Writes a picture: a row per finding, three severities on PA, AP and lateral images."""
    rows = []
    for index, name in enumerate(RENDERED):
        row = []
        for view_name in ("PA", "AP", "LATERAL"):
            for severity in SEVERITIES:
                rng = stream(0, "sheet", index, str(severity))
                anatomy, finding = draw_anatomy(rng), onset(rng, name)
                finding = replace(
                    finding,
                    right=severity * bool(finding.right),
                    left=severity * bool(finding.left),
                )
                view, posture = draw_view(rng, view_name, size)
                scanner = SITES["m"].scanner
                picture = render(rng, anatomy, {name: finding}, view, posture, scanner)
                sight = see(picture.deltas[name] * picture.clarity, view.pixel)
                image = cv2.cvtColor(picture.pixels, cv2.COLOR_GRAY2BGR)
                if sight.visibility > 0:
                    x0, y0, x1, y1 = (int(v) for v in sight.box)
                    cv2.rectangle(image, (x0, y0), (x1 - 1, y1 - 1), (0, 200, 255), 1)
                text = f"{name[:14]} {severity} seen {sight.visibility:.2f}"
                cv2.putText(image, text, (3, 11), 0, 0.38, (0, 255, 0), 1)
                row.append(image)
        rows.append(np.hstack(row))
    cv2.imwrite(file, np.vstack(rows))


def main(arguments: list[str]) -> None:
    del arguments
    cv2.setNumThreads(1)
    measured = [speed(int(size), PATIENTS.value) for size in SIZES.value]
    print(json.dumps({"version": VERSION, "speed": measured}, indent=2))
    if SHEET.value:
        draw_sheet(SHEET.value)


if __name__ == "__main__":
    app.run(main)
