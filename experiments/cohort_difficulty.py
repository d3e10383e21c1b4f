# SPDX-License-Identifier: Apache-2.0
"""How hard the simulated cohort is: AUC per finding of nuisances, linear pixels and a small net.

    python -m experiments.cohort_difficulty --patients=2000 --output=difficulty.json
    python -m experiments.cohort_difficulty --patients=20000 --steps=12000 --workers=2

Targets are what is visible in the frontal image of a study at site M; the judged findings are the
labels with a rendering of their own. Patients of the test set have numbers from a million on, so
that they are the same whatever the number of training patients. Ranges: a linear model of pixels
0.55-0.75, the net 0.75-0.88 from 2,000 patients and at least 0.92 from 20,000, a nuisance below
0.6; what lies outside is named. `--cache=DIR` keeps the generated arrays. On two cores the net takes
four minutes from 2,000 patients, and half an hour from 20,000.
"""

import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl import app, flags
from flax import nnx
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from experiments.small_net import (
    AUGMENT,
    Data,
    Net,
    Rows,
    blockwise,
    collected,
    normalised,
    trained,
)
from medst_jax.data_pipelines.simulated_cxr.cohort.patients import Case, patient_studies
from medst_jax.data_pipelines.simulated_cxr.cohort.truth import TECHNIQUE
from medst_jax.data_pipelines.simulated_cxr.findings.findings import (
    EXTRA,
    FINDINGS,
    LABELS,
    RENDERED,
)
from medst_jax.data_pipelines.simulated_cxr.seeds import VERSION
from medst_jax.data_pipelines.simulated_cxr.sites import SITES
from medst_jax.evaluate.statistics.metrics import auroc

PATIENTS = flags.DEFINE_integer("patients", 2000, "training patients", lower_bound=20)
TEST_PATIENTS = flags.DEFINE_integer("test_patients", 1000, "test patients", lower_bound=20)
SIZE = flags.DEFINE_integer("size", 96, "image side, pixels")
SEED = flags.DEFINE_integer("seed", 0, "seed of the cohort")
SITE = flags.DEFINE_enum("site", "m", sorted(SITES), "site")
STEPS = flags.DEFINE_integer("steps", 2000, "training steps of the net, 0 = no net")
BATCH = flags.DEFINE_integer("batch", 64, "batch of the net")
WORKERS = flags.DEFINE_integer("workers", 1, "processes that generate")
CACHE = flags.DEFINE_string("cache", "", "folder of generated arrays, empty = none")
OUTPUT = flags.DEFINE_string("output", "", "JSON file of the result")

TEST_START = 1_000_000
JUDGED = tuple(name for name in LABELS if name in RENDERED)
NAMES = JUDGED + EXTRA
RANGES = {"linear": (0.55, 0.75), "net_2000": (0.75, 0.88), "net_20000": (0.92, 1.0)}

COMPONENTS = 200  # of the pixels, for the linear model
PENALTIES = (0.03, 0.3)  # inverse


def generate(first: int, last: int, *, site: str, seed: int, size: int) -> Data:
    """The frontal images [n, S, S], visible truth [n, F] and nuisances of patients [first, last).

    Without laterals and reports, which change no frontal image.
    """
    frontal = replace(SITES[site], lateral=0.0, reports=False)
    columns = [FINDINGS.index(name) for name in NAMES]
    exposure = TECHNIQUE.index("exposure")
    rows: dict[str, list] = {"image": [], "truth": [], "view": [], "subject": []}
    rows["edema"] = []
    for number in range(first, last):
        for study in patient_studies(Case(frontal, seed, number, size)):
            image = study.images[0]
            seen = study.truth["truth_visible_in"][FINDINGS.index("Edema")] & 1
            rows["edema"].append(int(study.truth["truth_edema"]) * bool(seen))
            rows["image"].append(image.pixels)
            rows["truth"].append((study.truth["truth_visible_in"][columns] & 1) > 0)
            technique = study.truth["truth_technique"][0]
            rows["view"].append([image.view == "AP", image.spacing[0], technique[exposure]])
            rows["subject"].append([study.age, study.sex == "F"])
    return {name: np.stack(values) for name, values in rows.items()}


def cohort(first: int, last: int) -> Data:
    """`generate` in processes, or from the cache."""
    options = dict(site=SITE.value, seed=SEED.value, size=SIZE.value)
    name = "-".join(map(str, (VERSION, *options.values(), first, last)))
    file = Path(CACHE.value) / f"{name}.npz" if CACHE.value else None
    return collected(partial(generate, **options), first, last, workers=WORKERS.value, file=file)


def areas(truth: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """AUC of each finding; scores [n, F]."""
    ones = np.ones((1, len(truth)))
    columns = zip(NAMES, truth.T, scores.T, strict=True)
    return {name: float(auroc(t, s, ones)[0]) for name, t, s in columns}


def grade_areas(grades: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """AUC of each visible grade of edema against none, by the score of edema."""
    areas = {}
    for grade in (1, 2, 3):
        rows = np.isin(grades, (0, grade))
        known, ones = grades[rows] == grade, np.ones((1, int(rows.sum())))
        areas[f"{grade} against none"] = float(auroc(known, scores[rows], ones)[0])
    return areas


def logistic(train: np.ndarray, truth: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Scores [m, F] of logistic regressions on the first principal components.

    The last fifth of the training rows picks the penalty of each finding.
    """
    mean, spread = train.mean(0), train.std(0) + 1e-6
    rows, others = (train - mean) / spread, (test - mean) / spread
    if rows.shape[1] > COMPONENTS:
        pca = PCA(COMPONENTS, svd_solver="randomized", random_state=0).fit(rows)
        rows, others = pca.transform(rows), pca.transform(others)
    scale = rows.std(0).max()
    rows, others = rows / scale, others / scale
    train_count = len(rows) * 4 // 5
    ones = np.ones((1, len(rows) - train_count))

    def judged(inverse: float, known: np.ndarray) -> float:
        fit = LogisticRegression(C=inverse, max_iter=300).fit(
            rows[:train_count], known[:train_count]
        )
        return float(auroc(known[train_count:], fit.decision_function(rows[train_count:]), ones)[0])

    scores = []
    for known in truth.T:
        best = max(PENALTIES, key=partial(judged, known=known))
        fit = LogisticRegression(C=best, max_iter=300).fit(rows, known)
        scores.append(fit.decision_function(others))
    return np.stack(scores, axis=1)


def supervised(train: Data, test: Data) -> np.ndarray:
    """Scores [m, F] of the net trained on the visible truth."""

    def loss(net: Net, rows: Rows, keys: jax.Array) -> jax.Array:
        logits = net(AUGMENT(normalised(rows["image"]), keys), train=True)
        truth = rows["truth"].astype(jnp.float32)
        return optax.sigmoid_binary_cross_entropy(logits, truth).sum(1).mean()

    rows = {name: train[name] for name in ("image", "truth")}
    net = Net(len(NAMES), nnx.Rngs(0))
    net = trained(net, loss, rows, steps=STEPS.value, batch=BATCH.value)
    return blockwise(lambda net, images: net(normalised(images), train=False), net, test["image"])


def pixels(data: Data, side: int) -> np.ndarray:
    """The images averaged to `side` pixels, as rows."""
    images = data["image"].astype(np.float32)
    step = images.shape[1] // side
    images = images[:, : side * step, : side * step]
    return images.reshape(len(images), side, step, side, step).mean((2, 4)).reshape(len(images), -1)


def nuisances(data: Data) -> dict[str, np.ndarray]:
    """Feature rows of each nuisance: none of them holds the lungs."""
    size = data["image"].shape[1]
    inner = slice(size // 12, -(size // 12))
    frame = data["image"].astype(np.float32).copy()
    frame[:, inner, inner] = 0
    return {
        "view": data["view"][:, :1].astype(np.float32),
        "magnification": data["view"][:, 1:2].astype(np.float32),
        "exposure": data["view"][:, 2:].astype(np.float32),
        "age and sex": np.nan_to_num(data["subject"]).astype(np.float32),
        "frame": pixels({"image": frame}, 24),
    }


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(argv[1:])}")
    started = time.perf_counter()
    train = cohort(0, PATIENTS.value)
    test = cohort(TEST_START, TEST_START + TEST_PATIENTS.value)
    seconds = {"generate": time.perf_counter() - started}
    linear = logistic(pixels(train, 32), train["truth"], pixels(test, 32))
    rows = {"linear": areas(test["truth"], linear)}
    grades = {"linear": grade_areas(test["edema"], linear[:, NAMES.index("Edema")])}
    others = nuisances(test)
    for name, features in nuisances(train).items():
        scores = logistic(features, train["truth"], others[name])
        rows[name] = areas(test["truth"], scores)
    seconds["linear"] = time.perf_counter() - started - sum(seconds.values())
    if STEPS.value:
        print({key: round(value, 3) for key, value in rows["linear"].items()}, flush=True)
        scores = supervised(train, test)
        rows["net"] = areas(test["truth"], scores)
        grades["net"] = grade_areas(test["edema"], scores[:, NAMES.index("Edema")])
        seconds["net"] = time.perf_counter() - started - sum(seconds.values())
    result: dict[str, Any] = {
        "version": VERSION,
        "site": SITE.value,
        "seed": SEED.value,
        "patients": PATIENTS.value,
        "images": len(train["image"]),
        "test_images": len(test["image"]),
        "judged": list(JUDGED),
        "ranges": RANGES,
        "positives": dict(zip(NAMES, test["truth"].sum(0).tolist(), strict=True)),
        "auc": rows,
        "edema_grades": grades,
        "macro": {key: float(np.mean([row[n] for n in JUDGED])) for key, row in rows.items()},
        "seconds": {key: round(value, 1) for key, value in seconds.items()},
    }
    result["outside"] = outside(rows, PATIENTS.value)
    if OUTPUT.value:
        Path(OUTPUT.value).write_text(json.dumps(result, indent=1) + "\n")
    print(table(result))


def outside(rows: dict[str, dict[str, float]], patients: int) -> list[str]:
    """Which figures of the judged findings leave their range, "finding: model value"."""
    ranges = {key: (0.0, 0.6) for key in rows}
    ranges |= {"linear": RANGES["linear"], "net": RANGES.get(f"net_{patients}", (0.0, 1.0))}
    return [
        f"{name}: {key} {row[name]:.3f}"
        for key, row in rows.items()
        for name in JUDGED
        if not ranges[key][0] <= row[name] <= ranges[key][1]
    ]


def table(result: dict) -> str:
    """The figures as text, a finding a row."""
    rows = result["auc"]
    lines = [f"{'':26s}{'n+':>5s} " + "".join(f"{key[:9]:>10s}" for key in rows)]
    for name in NAMES:
        values = "".join(f"{row[name]:10.3f}" for row in rows.values())
        mark = " " if name in JUDGED else "+"
        lines.append(f"{mark}{name:25s}{result['positives'][name]:5d} {values}")
    lines.append(
        f" {'macro of the labels':30s} " + "".join(f"{v:10.3f}" for v in result["macro"].values())
    )
    lines += [f" edema, {key}: {value}" for key, value in result["edema_grades"].items()]
    lines.append("outside the ranges: " + ("; ".join(result["outside"]) or "nothing"))
    lines.append(json.dumps(result["seconds"]))
    return "\n".join(lines)


if __name__ == "__main__":
    app.run(main)
