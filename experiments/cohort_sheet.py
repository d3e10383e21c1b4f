# SPDX-License-Identifier: Apache-2.0
"""Contact sheets of the simulated cohort: each finding at three severities, frontal and lateral.

    python -m experiments.cohort_sheet --output=sheet.png [--findings="Cavity,Pleural Effusion"]

A row per finding: PA images at the severities, then laterals, then one AP image, each with the box
of the truth, green where the finding counts as visible and red where it does not. With
`--real_dir=FOLDER` (a `metadata.csv` with image_path and view_type, and images) a row of real
radiographs comes first, to compare with.
"""

import csv
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from absl import app, flags

from medst_jax.data_pipelines.simulated_cxr.findings.findings import MIDLINE, RENDERED
from medst_jax.data_pipelines.simulated_cxr.findings.states import onset
from medst_jax.data_pipelines.simulated_cxr.findings.visibility import SEEN, see
from medst_jax.data_pipelines.simulated_cxr.seeds import stream
from medst_jax.data_pipelines.simulated_cxr.sites import SITES
from medst_jax.data_pipelines.simulated_cxr.thorax.anatomy import draw_anatomy
from medst_jax.data_pipelines.simulated_cxr.thorax.positions import draw_view
from medst_jax.data_pipelines.simulated_cxr.thorax.render import render

OUTPUT = flags.DEFINE_string("output", None, "image file to write", required=True)
FINDINGS = flags.DEFINE_list("findings", list(RENDERED), "findings, a row each")
SIZE = flags.DEFINE_integer("size", 192, "image side, pixels")
SEVERITIES = flags.DEFINE_list("severities", ["0.25", "0.6", "0.95"], "in (0, 1]")
SEED = flags.DEFINE_integer("seed", 0, "seed of the patients")
BOXES = flags.DEFINE_bool("boxes", True, "draw boxes and names")
REAL = flags.DEFINE_string("real_dir", "", "folder of real radiographs to show above")

VISIBLE, HIDDEN = (80, 220, 80), (80, 80, 240)


def panel(name: str, view_name: str, severity: float) -> np.ndarray:
    """One image of a patient with one finding, in colour [S, S, 3]."""
    rng = stream(SEED.value, "sheet", RENDERED.index(name), str(severity))
    anatomy, finding = draw_anatomy(rng), onset(rng, name)
    right, left = (severity * bool(side) for side in (finding.right, finding.left))
    finding = replace(finding, right=right, left=left)
    view, posture = draw_view(rng, view_name, SIZE.value)
    picture = render(rng, anatomy, {name: finding}, view, posture, SITES["m"].scanner)
    image = cv2.cvtColor(picture.pixels, cv2.COLOR_GRAY2BGR)
    if not BOXES.value:
        return image
    sight = see(picture.deltas[name] * picture.clarity, view.pixel)
    colour = VISIBLE if sight.visibility >= SEEN else HIDDEN
    if sight.visibility > 0:
        x0, y0, x1, y1 = (int(v) for v in sight.box)
        cv2.rectangle(image, (x0, y0), (x1 - 1, y1 - 1), colour, 1)
    side = " bilateral" if right and left else " right" if right else " left"
    text = f"{name}{'' if name in MIDLINE else side} {severity:g}: {sight.visibility:.2f}"
    cv2.putText(image, text, (3, 11), 0, SIZE.value / 620, colour, 1, cv2.LINE_AA)
    return image


def real_images(count: int) -> list[np.ndarray]:
    """`count` frontal and lateral radiographs, evenly from the folder, padded to the size."""
    root = Path(REAL.value)
    with (root / "metadata.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    lateral = [row for row in rows if row["view_type"] == "lateral"]
    frontal = [row for row in rows if row["view_type"] == "frontal"]
    chosen = _spread(lateral, min(3, len(lateral)))
    chosen = _spread(frontal, count - len(chosen)) + chosen
    images = [cv2.imread(str(root / row["image_path"]), cv2.IMREAD_COLOR) for row in chosen]
    return [_fitted(image, SIZE.value) for image in images if image is not None]


def _spread(rows: list, count: int) -> list:
    return [rows[int(k)] for k in np.linspace(0, len(rows) - 1, count)] if count else []


def _fitted(image: np.ndarray, size: int) -> np.ndarray:
    scale = size / max(image.shape[:2])
    shape = [max(round(side * scale), 1) for side in image.shape[:2]]
    small = cv2.resize(image, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    canvas = np.zeros((size, size, 3), np.uint8)
    top, left = (size - shape[0]) // 2, (size - shape[1]) // 2
    canvas[top : top + shape[0], left : left + shape[1]] = small
    return canvas


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(argv[1:])}")
    unknown = set(FINDINGS.value) - set(RENDERED)
    if unknown:
        raise app.UsageError(f"no such findings: {sorted(unknown)}; known: {', '.join(RENDERED)}")
    severities = [float(value) for value in SEVERITIES.value]
    rows = []
    for name in FINDINGS.value:
        row = [panel(name, view, severity) for view in ("PA", "LATERAL") for severity in severities]
        rows.append(np.hstack([*row, panel(name, "AP", severities[-1])]))
    if REAL.value:
        rows.insert(0, np.hstack(real_images(2 * len(severities) + 1)))
    if not cv2.imwrite(OUTPUT.value, np.vstack(rows)):
        raise app.UsageError(f"cannot write {OUTPUT.value}: check the folder and the ending")
    print(f"wrote {OUTPUT.value}")


if __name__ == "__main__":
    app.run(main)
