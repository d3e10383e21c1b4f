# SPDX-License-Identifier: Apache-2.0
"""How well nets trained with the truth read the matched pairs of progression of the cohort.

    python -m experiments.progression_limit --size=64 --patients=8000 --steps=2500 \
        --pairs=20000 --pair_steps=2500 --workers=2 --cache=cache

Systems are judged on site E1, split "small_changes", by a linear SVM on frozen features of the
current and the prior image (configs/evaluate/temporal_claims.py). Here the small net of
cohort_difficulty learns the true severities of the four findings from single frontal images of site
M. A pair net goes on from it with pairs of the very split that is judged, of other patients: cross
entropy of better, unchanged and worse, and the severities of both images.

Both are held against an ideal reader who sees both severities with Gaussian noise of deviation s.
The middle of the two severities is uniform whatever the class, so the difference is all there is to
decide on, and its bounds lie half way between the changes.

Patients of the test have numbers from a million on. Intervals are of a bootstrap over patients.
The command takes 35 minutes on two cores shared with other work, half of it for the pair net.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from absl import app, flags
from flax import nnx

from experiments.progression_readers import (
    UNKNOWN,
    PairNet,
    image_pairs,
    pair_loss,
    read_singly,
    severity_loss,
    single_images,
)
from experiments.small_net import Data, Net, blockwise, collected, normalised, trained
from medst_jax.data_pipelines.simulated_cxr.findings.progression import SMALL, TARGETS
from medst_jax.data_pipelines.simulated_cxr.seeds import VERSION
from medst_jax.evaluate.statistics.bootstrap import clustered_intervals
from medst_jax.evaluate.statistics.metrics import grouped_mean
from medst_jax.evaluate.subjects.folds import cross_scores, linear_svm, patient_folds

TEST_START = 1_000_000
CHANGE = SMALL.change[1]
NOISES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
SEEDS = (42, 100, 666)  # of the folds, as in temporal_classification


@dataclass(frozen=True)
class Limit:
    """What is trained on and for how long.

    patients: of site M, whose single images train the severities.
    pairs: patients of split "small_changes" of E1 that train the pair net; 0 leaves it out.
    test_patients, test_start: patients of the same split that are judged, and the first's number.
    size: side of the images. seed: of the cohort. net_seed: of weights, order and augmentation.
    steps, pair_steps, pair_rate: of both trainings. batch: images, or pairs, of a step.
    """

    patients: int = 2000
    pairs: int = 0
    test_patients: int = 2000
    test_start: int = TEST_START
    size: int = 96
    seed: int = 0
    net_seed: int = 0
    steps: int = 2000
    pair_steps: int = 2000
    pair_rate: float = 1e-3
    batch: int = 64
    folds: int = 10


def ideal_hits(severity: np.ndarray, change: np.ndarray, noise: float, samples: int) -> np.ndarray:
    """Share of `draws` in which the ideal reader is right, of pairs [n, 2] and changes [n]."""
    rng = np.random.default_rng(0)
    hits = np.zeros(len(change))
    for _ in range(samples):
        seen = severity + noise * rng.normal(size=severity.shape)
        difference = seen[:, 1] - seen[:, 0]
        hits += (np.abs(difference) > CHANGE / 2) * np.sign(difference) == change
    return hits / samples


def ideal_accuracy(noise: float) -> float:
    """Macro accuracy of the ideal reader, in closed form."""
    inside = NormalDist().cdf(CHANGE / (2 * 2**0.5 * noise))
    return (4 * inside - 1) / 3


def equal_noise(accuracy: float) -> float:
    """The noise with which the ideal reader has this macro accuracy; infinite at chance."""
    if accuracy <= 1 / 3:
        return float("inf")
    share = min((3 * accuracy + 1) / 4, 1 - 1e-12)
    return CHANGE / (2 * 2**0.5 * NormalDist().inv_cdf(share))


def errors(predicted: np.ndarray, severity: np.ndarray) -> dict[str, float]:
    """Errors of severities [n, 2] of the pairs that are judged.

    `noise` is what would remain of the error of a difference, per image, if the reader's
    severities rose as fast as the true ones: a reader who hedges shrinks them.
    """
    error = predicted - severity
    slope = float(np.polyfit(severity.ravel(), predicted.ravel(), 1)[0])
    change = np.diff(predicted)[:, 0] / slope - np.diff(severity)[:, 0]
    return {
        "severity_rmse": float(np.sqrt((error**2).mean())),
        "difference_rmse": float(np.sqrt((np.diff(error) ** 2).mean())),
        "correlation": float(np.corrcoef(error.T)[0, 1]),
        "slope": slope,
        "noise": float(change.std() / 2**0.5),
    }


def noisy(severity: np.ndarray, noise: float) -> np.ndarray:
    """What the ideal reader sees of severities [n, 2], in deviations."""
    seen = severity + noise * np.random.default_rng(1).normal(size=severity.shape)
    return (seen - seen.mean()) / seen.std()


def svm_hits(rows: np.ndarray, change: np.ndarray, patients: np.ndarray, folds: int) -> np.ndarray:
    """Share of the fold seeds in which the protocol's classifier is right, [n]."""
    targets = change.astype(np.int64) + 1
    hits = []
    for seed in SEEDS:
        parts = patient_folds(targets, patients, folds, seed)
        scores = cross_scores(rows, targets, parts, linear_svm(seed))
        hits.append(scores.argmax(1) == targets)
    return np.mean(hits, 0)


def readings(name: str, severities: np.ndarray, pooled: np.ndarray) -> dict[str, np.ndarray]:
    """Rows for the classifier: severities, features of unit norm as systems give, features scaled.

    Pooled features of unit norm differ so little between images that the classifier, at its fixed
    penalty, may answer one class throughout; scaled ones have spread one in all.
    """
    unit = pooled / np.linalg.norm(pooled, axis=-1, keepdims=True)
    width = pooled.shape[-1] ** 0.5
    rows = {"severities": _scaled(severities), "features": unit, "scaled": _scaled(unit) / width}
    both = {f"{name}: {key}/pair": value.reshape(len(value), -1) for key, value in rows.items()}
    return both | {f"{name}: {key}/current": value[:, 1] for key, value in rows.items()}


def _scaled(values: np.ndarray) -> np.ndarray:
    return (values - values.mean((0, 1))) / (values.std((0, 1)) + 1e-6)


def judge(
    test: Data, inputs: Mapping[str, np.ndarray], logits: np.ndarray | None, folds: int
) -> dict[str, dict[str, float]]:
    """Macro accuracy of each reader, mean over the findings, with its interval.

    `gain` is of two images over the current one alone, both classified alike.
    """
    hits: dict[str, list[np.ndarray]] = {}
    patients, groups = [], []
    for column in range(len(TARGETS)):
        rows = np.flatnonzero(test["change"][:, column] != UNKNOWN)
        change = test["change"][rows, column]
        own = test["severity"][rows, :, column]
        read = {name: svm_hits(v[rows], change, rows, folds) for name, v in inputs.items()}
        if logits is not None:
            read["pair net: itself/pair"] = logits[rows, column].argmax(1) - 1 == change
        for noise in NOISES:
            read[f"ideal: {noise}/pair"] = ideal_hits(own, change, noise, 200)
            # What is left when the classifier has to learn it from a few hundred pairs.
            read[f"ideal, svm: {noise}/pair"] = svm_hits(noisy(own, noise), change, rows, folds)
        for name, values in read.items():
            hits.setdefault(name, []).append(values)
        patients.append(rows)
        groups.append(3 * column + change + 1)
    joined = {name: np.concatenate(parts).astype(np.float64) for name, parts in hits.items()}
    group = np.concatenate(groups)

    def statistics(weights: np.ndarray) -> dict[str, np.ndarray]:
        accuracy = {name: grouped_mean(values, group, weights) for name, values in joined.items()}
        for name in inputs:
            kind = name.removesuffix("/pair")
            if kind != name:
                accuracy[f"{kind}/gain"] = accuracy[name] - accuracy[f"{kind}/current"]
        if logits is not None:
            alone = accuracy["pair net: scaled/current"]
            accuracy["pair net: itself/gain"] = accuracy["pair net: itself/pair"] - alone
        return accuracy

    intervals = clustered_intervals(statistics, np.concatenate(patients))
    return {name: interval._asdict() for name, interval in intervals.items()}


def measure(limit: Limit, *, workers: int = 1, cache: str = "") -> dict[str, Any]:
    """Trains the readers and judges them; `cache` is a folder of generated arrays, or empty."""
    clock, seconds = time.perf_counter(), {}

    def data(kind: str, make: Callable[[int, int], Data], first: int, count: int) -> Data:
        parts = (VERSION, kind, limit.seed, limit.size, first, count)
        file = Path(cache) / ("-".join(map(str, parts)) + ".npz") if cache else None
        return collected(make, first, first + count, workers=workers, file=file)

    def lap(name: str) -> None:
        seconds[name] = round(time.perf_counter() - clock - sum(seconds.values()), 1)

    pairs = partial(image_pairs, seed=limit.seed, size=limit.size)
    test = data("judged", partial(pairs, judged=True), limit.test_start, limit.test_patients)
    make = partial(single_images, seed=limit.seed, size=limit.size)
    single = data("single", make, 0, limit.patients)
    images = len(single["image"])
    lap("generate")
    fit = partial(trained, batch=limit.batch, seed=limit.net_seed)
    net = Net(len(TARGETS), nnx.Rngs(limit.net_seed))
    net = fit(net, severity_loss, single, steps=limit.steps)
    del single
    lap("train severities")
    by_reader, logits = {"severities": read_singly(net, test["image"])}, None
    if limit.pairs:
        many = data("pairs", partial(pairs, judged=False), 0, limit.pairs)
        lap("generate pairs")
        both = PairNet(net, nnx.Rngs(limit.net_seed))
        both = fit(both, pair_loss, many, steps=limit.pair_steps, rate=limit.pair_rate)
        del many
        lap("train pairs")
        by_reader["pair net"] = read_singly(both.net, test["image"])
        logits = blockwise(
            lambda net, block: net(normalised(block), train=False)[0], both, test["image"]
        )
    inputs = {
        key: rows for name in by_reader for key, rows in readings(name, *by_reader[name]).items()
    }
    accuracy = judge(test, inputs, logits, limit.folds)
    lap("judge")
    return {
        "version": VERSION,
        **asdict(limit),
        "images": images,
        "pair_findings": int((test["change"] != UNKNOWN).sum()),
        "accuracy": accuracy,
        "equal_noise": {
            name: equal_noise(row["value"])
            for name, row in accuracy.items()
            if name.endswith("/pair")
        },
        "ideal": {str(noise): ideal_accuracy(noise) for noise in NOISES},
        "errors": {name: _errors(test, severities) for name, (severities, _) in by_reader.items()},
        "seconds": seconds,
    }


def _errors(test: Data, predicted: np.ndarray) -> dict[str, dict[str, float]]:
    result = {}
    for column, name in enumerate(TARGETS):
        rows = (test["change"][:, column] != UNKNOWN) & test["seen"][:, :, column].all(1)
        result[name] = errors(predicted[rows, :, column], test["severity"][rows, :, column])
    means = {key: float(np.mean([row[key] for row in result.values()])) for key in result[name]}
    return {**result, "mean": means}


def table(result: Mapping[str, Any]) -> str:
    """The figures as text."""
    lines = [f"{'macro accuracy':34s}{'value':>7s}{'low':>8s}{'high':>8s}{'s':>8s}"]
    for name, row in result["accuracy"].items():
        noise = result["equal_noise"].get(name)
        values = "".join(f"{row[key]:8.3f}" for key in ("value", "low", "high"))
        lines.append(f"{name:33s}{values}" + (f"{noise:8.2f}" if noise is not None else ""))
    for reader, error_rows in result["errors"].items():
        lines.append(f"{reader:20s}" + "".join(f"{key:>17s}" for key in error_rows["mean"]))
        for name, row in error_rows.items():
            lines.append(f"  {name:18s}" + "".join(f"{value:17.3f}" for value in row.values()))
    lines.append(json.dumps(result["seconds"]))
    return "\n".join(lines)


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(argv[1:])}")
    limit = Limit(**{name: flags.FLAGS[name].value for name in asdict(Limit())})
    result = measure(limit, workers=_WORKERS.value, cache=_CACHE.value)
    if _OUTPUT.value:
        Path(_OUTPUT.value).write_text(json.dumps(result, indent=1) + "\n")
    print(table(result))


if __name__ == "__main__":
    # Here and not above: a test imports this module beside others with flags of these names.
    for _name, _value in asdict(Limit()).items():
        _define = flags.DEFINE_float if isinstance(_value, float) else flags.DEFINE_integer
        _define(_name, _value, "see Limit")
    _WORKERS = flags.DEFINE_integer("workers", 1, "processes that generate", lower_bound=1)
    _CACHE = flags.DEFINE_string("cache", "", "folder of generated arrays, empty = none")
    _OUTPUT = flags.DEFINE_string("output", "", "JSON file of the result")
    app.run(main)
