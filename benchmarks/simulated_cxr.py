# SPDX-License-Identifier: Apache-2.0
"""Speed of the cohort generator: images per second, one process and several.

    python -m medst_jax.benchmarks.simulated_cxr --patients=60 --sizes=96,224 --workers=2

Counts everything that makes a study of site M: states, images, truth, report, labels; not the
encoding to JPEG. Prints JSON. Rounds alternate between one process and several, and figures are
medians over rounds.
"""

import json
import multiprocessing.pool
import statistics
import time

import cv2
from absl import app, flags

from medst_jax.data_pipelines.simulated_cxr.cohort.patients import Case, patient_studies
from medst_jax.data_pipelines.simulated_cxr.seeds import VERSION
from medst_jax.data_pipelines.simulated_cxr.sites import SITES

PATIENTS = flags.DEFINE_integer("patients", 60, "patients of site M per process and round")
SIZES = flags.DEFINE_list("sizes", ["64", "96", "224"], "image sizes in pixels")
WORKERS = flags.DEFINE_integer("workers", 2, "processes")
ROUNDS = flags.DEFINE_integer("rounds", 3, "rounds")


def generate(first: int, last: int, size: int) -> tuple[int, int, float]:
    """Makes patients [first, last); returns images, studies and processor seconds."""
    cv2.setNumThreads(1)
    start = time.process_time()
    images = studies = 0
    for number in range(first, last):
        for study in patient_studies(Case(SITES["m"], 0, number, size)):
            studies, images = studies + 1, images + len(study.images)
    return images, studies, time.process_time() - start


def measure(pool: multiprocessing.pool.Pool, size: int) -> dict[str, float]:
    """Rates of one process and of the pool at one image size."""
    count, workers = PATIENTS.value, WORKERS.value
    alone, together, processor = [], [], []
    for _ in range(ROUNDS.value):
        start = time.perf_counter()
        images, _, seconds = pool.apply(generate, (0, count, size))
        alone.append(images / (time.perf_counter() - start))
        processor.append(images / seconds)
        start = time.perf_counter()
        blocks = [(k * count, (k + 1) * count, size) for k in range(workers)]
        parts = pool.starmap(generate, blocks, chunksize=1)
        together.append(sum(part[0] for part in parts) / (time.perf_counter() - start))
    rates = {
        "images_per_processor_second": statistics.median(processor),
        "images_per_second": statistics.median(alone),
        f"images_per_second_{workers}_processes": statistics.median(together),
    }
    speedup = statistics.median(b / a for a, b in zip(alone, together, strict=True))
    return {"size": size, **{k: round(v, 1) for k, v in rates.items()}, "ratio": round(speedup, 2)}


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(argv[1:])}")
    with multiprocessing.get_context("spawn").Pool(WORKERS.value) as pool:
        # The first patients load libraries.
        pool.starmap(generate, [(0, 2, 32)] * (4 * WORKERS.value))
        measured = [measure(pool, int(size)) for size in SIZES.value]
    print(json.dumps({"version": VERSION, "speed": measured}, indent=1))


if __name__ == "__main__":
    app.run(main)
