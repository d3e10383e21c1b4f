# SPDX-License-Identifier: Apache-2.0
"""Pictures of what changes in the simulated cohort: grades of edema, pairs of studies, rare places.

    python -m experiments.cohort_change_sheet --kind=grades --output=grades.png
    python -m experiments.cohort_change_sheet --kind=pairs --output=pairs.png

`grades`: three patients of site M, a row each: no edema, then grades 1, 2 and 3 in the same position.
`pairs`: six patients of E1, split "progression", a column each: the prior study above the current one.
`places`: six patients of E1, split "atypical". With `--real_dir=FOLDER` (a `metadata.csv` with
image_path and view_type, and images) a row of real radiographs comes last, to compare with.
"""

import csv
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from absl import app, flags

from medst_jax.data_pipelines.simulated_cxr.cohort.blocks import ATYPICAL, PROGRESSION
from medst_jax.data_pipelines.simulated_cxr.cohort.patients import Case, patient_studies
from medst_jax.data_pipelines.simulated_cxr.findings.findings import FINDINGS
from medst_jax.data_pipelines.simulated_cxr.findings.progression import TARGETS
from medst_jax.data_pipelines.simulated_cxr.findings.states import onset
from medst_jax.data_pipelines.simulated_cxr.seeds import stream
from medst_jax.data_pipelines.simulated_cxr.sites import SITES
from medst_jax.data_pipelines.simulated_cxr.thorax.anatomy import draw_anatomy
from medst_jax.data_pipelines.simulated_cxr.thorax.positions import draw_view
from medst_jax.data_pipelines.simulated_cxr.thorax.render import render

GRADES = (0.0, 0.2, 0.5, 0.9)  # severities, none first
COLUMNS = 6
CHANGES = {-1: "better", 0: "unchanged", 1: "worse"}
INK = (90, 220, 90)


def grades(size: int, seed: int) -> list[list[np.ndarray]]:
    """Rows of a patient without edema and with each grade of it."""
    rows = []
    for number in range(3):
        row = []
        for grade, severity in enumerate(GRADES):
            rng = stream(seed, "grades", number)
            anatomy, edema = draw_anatomy(rng), onset(rng, "Edema")
            view, posture = draw_view(rng, "PA", size)
            state = {"Edema": replace(edema, right=severity, left=severity)} if grade else {}
            picture = render(rng, anatomy, state, view, posture, SITES["m"].scanner)
            row.append(_labelled(picture.pixels, f"grade {grade}" if grade else "no edema"))
        rows.append(row)
    return rows


def pairs(size: int, seed: int) -> list[list[np.ndarray]]:
    """The prior and the current study of patients, with what changed under them."""
    columns: list[list[np.ndarray]] = []
    for number in range(100):
        case = Case(SITES["e1"], seed, number, size, PROGRESSION)
        prior, current = patient_studies(case)
        named = {name: code for name, code in current.progression.items() if name in TARGETS}
        if named and len(columns) < COLUMNS:
            text = ", ".join(f"{name} {CHANGES[code]}" for name, code in named.items())
            images = [_labelled(study.images[0].pixels, "") for study in (prior, current)]
            columns.append([images[0], _labelled(images[1], text)])
    return [list(row) for row in zip(*columns, strict=True)]


def places(size: int, seed: int) -> list[list[np.ndarray]]:
    """Patients with findings where they rarely lie, and their boxes."""
    row = []
    for number in range(COLUMNS):
        (study,) = patient_studies(Case(SITES["e1"], seed, number, size, ATYPICAL))
        image, names = _labelled(study.images[0].pixels, ""), []
        for picture, finding, *box in study.truth["truth_boxes"]:
            if picture == 0 and study.labels.get(FINDINGS[int(finding)]) == 1:
                x0, y0, x1, y1 = (int(v) for v in box)
                cv2.rectangle(image, (x0, y0), (x1 - 1, y1 - 1), INK, 1)
                names.append(FINDINGS[int(finding)])
        row.append(_labelled(image, ", ".join(names)))
    return [row]


def real_images(root: Path, size: int, count: int) -> list[np.ndarray]:
    """`count` frontal radiographs, evenly from a folder, padded to the size."""
    with (root / "metadata.csv").open(newline="") as file:
        frontal = [row for row in csv.DictReader(file) if row["view_type"] == "frontal"]
    images = []
    for k in np.linspace(0, len(frontal) - 1, count).astype(int).tolist():
        image = cv2.imread(str(root / frontal[k]["image_path"]), cv2.IMREAD_COLOR)
        assert image is not None
        scale = size / max(image.shape[:2])
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        canvas = np.zeros((size, size, 3), np.uint8)
        canvas[: small.shape[0], : small.shape[1]] = small[:size, :size]
        images.append(canvas)
    return images


def _labelled(pixels: np.ndarray, text: str) -> np.ndarray:
    image = pixels if pixels.ndim == 3 else cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
    scale, bottom = image.shape[0] / 800, image.shape[0] - 5
    cv2.putText(image, text, (3, bottom), 0, scale, INK, 1, cv2.LINE_AA)
    return image


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(argv[1:])}")
    make = {"grades": grades, "pairs": pairs, "places": places}[_KIND.value]
    rows = make(_SIZE.value, _SEED.value)
    if _REAL.value:
        rows.append(real_images(Path(_REAL.value), _SIZE.value, len(rows[0])))
    cv2.imwrite(_OUTPUT.value, np.concatenate([np.concatenate(row, 1) for row in rows]))


if __name__ == "__main__":
    _KIND = flags.DEFINE_enum("kind", "pairs", ["grades", "pairs", "places"], "what is shown")
    _OUTPUT = flags.DEFINE_string("output", None, "image file to write", required=True)
    _SIZE = flags.DEFINE_integer("size", 192, "image side, pixels")
    _SEED = flags.DEFINE_integer("seed", 0, "seed of the patients")
    _REAL = flags.DEFINE_string("real_dir", "", "folder of real radiographs to show below")
    app.run(main)
