# SPDX-License-Identifier: Apache-2.0
"""Throughput of image banks against bare decoding, resizing and encoding.

`python -m medst_jax.benchmarks.image_banks [--images=600] [--side=2048] [--json]` writes a folder in
CheXpert's layout, and times, in alternating rounds on the same files: the bare loop (read, decode,
area resize, encode, and nothing else), a build with one worker, and a build with two. Figures are
images per second; the ratios are medians over the rounds. One worker is compared with the bare
loop by processor time, per core; two workers with one by the clock, from the first's start to the
last's end, without the seconds that starting Beam takes whatever the size: that ratio means
something on an idle machine only.
"""

import json
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from absl import app, flags

from medst_jax.data.records.keys import folder_secret
from medst_jax.data_pipelines.bank import bank_of, write_bank
from medst_jax.data_pipelines.chexpert.source import CheXpert
from medst_jax.data_pipelines.encode import JPEG_QUALITY, Encoding
from medst_jax.data_pipelines.listing.chexpert_labels import CHEXPERT

IMAGES = flags.DEFINE_integer("images", 600, "images")
SIDE = flags.DEFINE_integer("side", 2048, "side of the source images, pixels")
ROUNDS = flags.DEFINE_integer("rounds", 3, "rounds")
JSON = flags.DEFINE_bool("json", False, "print one JSON object")

_STORED = 512
_FILMS = 8  # different ones, which the files repeat
_PER_PATIENT = 2


def write_tree(folder: Path, images: int, side: int) -> list[Path]:
    """Writes films with the texture of noise over smooth shapes; returns their paths."""
    rng = np.random.default_rng(0)
    films = []
    for _ in range(_FILMS):
        shapes = rng.integers(0, 200, (16, 16), dtype=np.uint8)
        smooth = cv2.resize(shapes, (side, side), interpolation=cv2.INTER_CUBIC)
        noisy = np.clip(smooth + rng.normal(0, 4, smooth.shape), 0, 255).astype(np.uint8)
        films.append(simplejpeg.encode_jpeg(noisy[:, :, None], quality=90, colorspace="GRAY"))
    paths = []
    rows = ["Path,Sex,Age,Frontal/Lateral,AP/PA," + ",".join(CHEXPERT)]
    for k in range(images):
        patient, study = divmod(k, _PER_PATIENT)
        name = f"train/patient{patient:05d}/study{study + 1}/view1_frontal.jpg"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(films[k % _FILMS])
        paths.append(path)
        rows.append(f"{name},Female,60,Frontal,AP" + ",1.0" * len(CHEXPERT))
    (folder / "train.csv").write_text("\n".join(rows) + "\n")
    return paths


def bare(paths: list[Path]) -> float:
    """Processor seconds of the least that has to be done."""
    start = time.process_time()
    for path in paths:
        grey = simplejpeg.decode_jpeg(path.read_bytes(), colorspace="GRAY")[:, :, 0]
        small = cv2.resize(grey, (_STORED, _STORED), interpolation=cv2.INTER_AREA)
        simplejpeg.encode_jpeg(small[:, :, None], quality=JPEG_QUALITY, colorspace="GRAY")
    return time.process_time() - start


def bank(folder: str, output: str, unit: str) -> tuple[float, float, float]:
    """Start and end of one unit's bank on the machine's clock, and its processor seconds."""
    cv2.setNumThreads(1)
    source, encoding = CheXpert(folder), Encoding(_STORED)
    place = bank_of(source, unit, output, encoding, folder_secret(output))
    start, used = time.perf_counter(), time.process_time()
    write_bank(source, place, encoding)
    return start, time.perf_counter(), time.process_time() - used


def main(arguments: list[str]) -> None:
    del arguments
    cv2.setNumThreads(1)
    rounds: dict[str, list[float]] = {
        name: [] for name in ("bare_cpu", "one_worker_cpu", "one_worker", "two_workers")
    }
    with (
        tempfile.TemporaryDirectory() as root,
        ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool,
    ):
        halves = [Path(root) / "a", Path(root) / "b"]
        paths = [write_tree(half, IMAGES.value // 2, SIDE.value) for half in halves]
        for k in range(ROUNDS.value):
            rounds["bare_cpu"].append(bare(paths[0]) + bare(paths[1]))
            spans = [bank(str(half), f"{root}/one{k}", "00000") for half in halves]
            rounds["one_worker"].append(sum(end - start for start, end, _ in spans))
            rounds["one_worker_cpu"].append(sum(used for _, _, used in spans))
            jobs = [pool.submit(bank, str(half), f"{root}/two{k}", "00000") for half in halves]
            spans = [job.result() for job in jobs]
            rounds["two_workers"].append(max(s[1] for s in spans) - min(s[0] for s in spans))
    count = 2 * (IMAGES.value // 2)
    result = {
        "images": count,
        "side": SIDE.value,
        "stored": _STORED,
        "images_per_second": {
            name: round(count / statistics.median(times), 1) for name, times in rounds.items()
        },
        "one_worker_of_bare": _ratio(rounds["bare_cpu"], rounds["one_worker_cpu"]),
        "two_workers_of_one": _ratio(rounds["one_worker"], rounds["two_workers"]),
    }
    print(json.dumps(result, indent=None if JSON.value else 2))


def _ratio(slower: list[float], faster: list[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(slower, faster, strict=True)), 3)


if __name__ == "__main__":
    app.run(main)
