# SPDX-License-Identifier: Apache-2.0
"""Processor time and peak memory of what grows with the data, at the size of the largest public sets.

    python -m benchmarks.growth --what=look_alikes    # audit by perceptual hash, 377k x 112k films
    python -m benchmarks.growth --what=retrieval      # ranks of 30k images among 30k texts
    python -m benchmarks.growth --what=probe --share=0.1   # a linear probe, beside scikit-learn's own
    python -m benchmarks.growth --what=bootstrap      # AUROC of 14 classes, beside scikit-learn's in a loop
    python -m benchmarks.growth --what=label_tables   # MIMIC-CXR-JPG's tables, 377k rows

One line of JSON. Seconds are of the processor (user and system); the peak is of the whole process, so each
figure has a process of its own. The inputs are made: the seconds leave out their making. `--share` scales the rows.
"""

import json
import pathlib
import resource
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from absl import app, flags

_NAMES = ("look_alikes", "retrieval", "probe", "bootstrap", "label_tables")
_WHAT = flags.DEFINE_enum("what", None, sorted(_NAMES), "What to measure.")
_SHARE = flags.DEFINE_float("share", 1.0, "Share of the full size.", 0.001, 1.0)

_TRAINED, _EVALUATED = 377_110, 112_120  # MIMIC-CXR-JPG and NIH ChestX-ray14
_GALLERY, _WIDTH = 30_000, 512
_PROBED, _FEATURES = 100_000, 2048
_SCORED, _CLASSES, _PATIENTS_SHARE = 50_000, 14, 0.4
# Both sides are linear in the replicates, so few are timed and the time of one is given.
_REPLICATES, _PEER_REPLICATES = 400, 10


def films(count: int, rng: np.random.Generator) -> np.ndarray:
    """Hashes uint16 [count, WORDS] of made films: one chest, large differences, little noise."""
    from medst_jax.data_pipelines.audit import perceptual

    side = perceptual.SIDE
    chest = np.random.default_rng(0).normal(0, 1, (side, side + 1)).cumsum(1)
    shapes = np.random.default_rng(1).normal(0, 1, (24, side, side + 1)).cumsum(1).cumsum(2) / 8
    blocks = []
    for start in range(0, count, 10_000):
        n = min(10_000, count - start)
        grey = chest + np.tensordot(rng.normal(0, 1, (n, 24)), shapes, 1)
        grey += rng.normal(0, 0.4, grey.shape)
        blocks.append(np.packbits((np.diff(grey) > 0).reshape(n, -1), axis=1).view(np.uint16))
    return np.concatenate(blocks)


def look_alikes(share: float) -> dict[str, Any]:
    """The search for films of one set among those of another; a hundred are planted."""
    from medst_jax.data_pipelines.audit import perceptual

    rng = np.random.default_rng(2)
    trained, evaluated = (films(int(n * share), rng) for n in (_TRAINED, _EVALUATED))
    evaluated[:100] = trained[rng.choice(len(trained), 100, replace=False)]
    near, seconds = timed(lambda: perceptual.has_near(evaluated, trained))
    if not near[:100].all():
        raise RuntimeError("a planted film was not found")
    apart = [perceptual.distance(row, trained).min() for row in evaluated[100:300]]
    return {
        "films": [len(trained), len(evaluated)],
        "found": int(near.sum()),
        "nearest_bits": [int(min(apart)), float(np.median(apart))],  # least and median of 200 films
        "cpu_s": seconds,
    }


def retrieval(share: float) -> dict[str, Any]:
    """Ranks in both directions, a tenth of the texts being equal to others."""
    from medst_jax.evaluate.protocols.retrieval import first_hit_ranks

    rng = np.random.default_rng(3)
    count = int(_GALLERY * share)
    images = rng.normal(0, 1, (count, _WIDTH)).astype(np.float32)
    texts = images + rng.normal(0, 3, images.shape).astype(np.float32)
    numbers = rng.integers(0, 5 * count, count)
    ranks, seconds = timed(lambda: first_hit_ranks(images, texts, numbers))
    return {"gallery": count, "median_rank": float(np.median(ranks)), "cpu_s": seconds}


def probe(share: float) -> dict[str, Any]:
    """One class of the linear probe, and scikit-learn called directly with the same settings."""
    from sklearn.linear_model import LogisticRegression

    from medst_jax.evaluate.fitting.logistic_regression import fit_probe

    rng = np.random.default_rng(4)
    count = int(_PROBED * share)
    features = rng.standard_normal((count, _FEATURES), np.float32)
    targets = (features[:, :64].sum(1) + 16 * rng.normal(0, 1, count) > 8).astype(np.int64)
    (fitted, converged), seconds = timed(lambda: fit_probe(features, targets))
    plain = LogisticRegression(
        C=0.316, solver="lbfgs", max_iter=1000, class_weight="balanced", random_state=0
    )
    _, peer = timed(lambda: plain.fit(features, targets))
    same = bool(np.array_equal(fitted.coef_, plain.coef_))
    measured = {"images": count, "features": _FEATURES, "converged": converged, "same": same}
    return measured | {"cpu_s": seconds, "sklearn_cpu_s": peer}


def bootstrap(share: float) -> dict[str, Any]:
    """AUROC of every class under patient replicates, and scikit-learn's once a replicate and class."""
    from sklearn.metrics import roc_auc_score

    from medst_jax.evaluate.statistics.bootstrap import patient_weights
    from medst_jax.evaluate.statistics.metrics import auroc

    rng = np.random.default_rng(5)
    count = int(_SCORED * share)
    patients = rng.integers(0, int(count * _PATIENTS_SHARE), count)
    targets = rng.random((count, _CLASSES)) < 0.1
    scores = (targets + rng.normal(0, 1, targets.shape)).astype(np.float32)
    columns = range(_CLASSES)

    def ours() -> np.ndarray:
        blocks = patient_weights(patients, replicates=_REPLICATES)
        areas = [[auroc(targets[:, c], scores[:, c], w) for c in columns] for w in blocks]
        return np.concatenate(areas, axis=1)

    def theirs() -> np.ndarray:
        weights = next(patient_weights(patients, replicates=_PEER_REPLICATES))
        areas = [
            [roc_auc_score(targets[:, c], scores[:, c], sample_weight=w) for w in weights]
            for c in columns
        ]
        return np.array(areas)

    areas, seconds = timed(ours)
    _, peer = timed(theirs)
    return {
        "images": count,
        "classes": _CLASSES,
        "mean_auroc": round(float(areas.mean()), 4),
        "replicates": [_REPLICATES, _PEER_REPLICATES],
        "cpu_ms_a_replicate": round(1e3 * seconds / _REPLICATES, 1),
        "sklearn_cpu_ms_a_replicate": round(1e3 * peer / _PEER_REPLICATES, 1),
    }


def label_tables(share: float) -> dict[str, Any]:
    """Reading the tables of MIMIC-CXR-JPG, without report files, into patients and units."""
    from medst_jax.data_pipelines.listing.chexpert_labels import CHEXPERT
    from medst_jax.data_pipelines.mimic_cxr.jpg import MimicCxrJpg

    count = int(_TRAINED * share)
    rng = np.random.default_rng(6)
    words = rng.integers(0, 1 << 32, (count, 5)).tolist()
    ids = ["-".join(f"{word:08x}" for word in row) for row in words]
    studies = [50_000_000 + k * 3 // 5 for k in range(count)]
    patients = [10_000_000 + (study - 50_000_000) * 2 // 7 for study in studies]
    cells = np.array([""] * 12 + ["1.0", "1.0", "0.0", "-1.0"])  # three or four a report
    told = {study: patient for study, patient in zip(studies, patients, strict=True)}
    labels = cells[rng.integers(0, len(cells), (len(told), len(CHEXPERT)))].tolist()
    tables = {
        "metadata": ["dicom_id,subject_id,study_id,ViewPosition,StudyDate,StudyTime"],
        "split": ["dicom_id,study_id,subject_id,split"],
        "chexpert": ["subject_id,study_id," + ",".join(CHEXPERT)],
    }
    for k, (name, study, patient) in enumerate(zip(ids, studies, patients, strict=True)):
        day = f"2180{1 + k % 12:02d}{1 + k % 28:02d},{k % 24:02d}{k % 60:02d}14.531"
        tables["metadata"].append(f"{name},{patient},{study},PA,{day}")
        tables["split"].append(f"{name},{study},{patient},train")
    for row, (study, patient) in zip(labels, told.items(), strict=True):
        tables["chexpert"].append(f"{patient},{study}," + ",".join(row))
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "files").mkdir()
        for name, lines in tables.items():
            path = pathlib.Path(folder) / f"mimic-cxr-2.0.0-{name}.csv"
            path.write_text("\n".join(lines) + "\n")
        del tables, labels, told, ids, words
        units, seconds = timed(lambda: MimicCxrJpg(folder).units())
    return {"rows": count, "units": len(units), "cpu_s": seconds}


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """The value of a call and its processor seconds, all threads."""
    start = time.process_time()
    value = function()
    return value, round(time.process_time() - start, 2)


def main(_: list[str]) -> None:
    figures = (look_alikes, retrieval, probe, bootstrap, label_tables)
    measured = dict(zip(_NAMES, figures, strict=True))[str(_WHAT.value)](_SHARE.value)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    print(json.dumps({"what": _WHAT.value, **measured, "peak_mb": round(peak / 1e6)}))


if __name__ == "__main__":
    flags.mark_flag_as_required("what")
    app.run(main)
