# SPDX-License-Identifier: Apache-2.0
"""Images per second and core of the training input, beside the bare decoder on the same JPEGs.

    python -m medst_jax.benchmarks.input [--torch_python=PYTHON]     made images of 512 and 224 pixels
    python -m medst_jax.benchmarks.input --data_dir=data --dataset=simulated_cxr_m --vocabulary=simulated_cxr

Bare is what no pipeline can leave out: decoding each frontal JPEG, scaled by the decoder where the
batch is smaller, and shrinking it the rest of the way, with the libraries the pipeline uses, in a
plain loop over bytes in memory. Peers are what a user would write instead, over the same JPEGs as
files: tf.data, grain, and torch's DataLoader where --torch_python has it; they read images and a
label, no texts. The pipeline reads, decodes, shrinks, draws and pads texts, labels and batches; it parses and
tokenises in the first pass over the data, whose rate stands beside that of the later ones. All run
in turn in this process; a rate is images per second of processor time, all threads and processes
counted, so that other work on the machine hardly matters. Medians over the turns.
"""

import contextlib
import functools
import json
import os
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import simplejpeg
from absl import app, flags

from medst_jax.benchmarks.input_peers import Peer, peers
from medst_jax.benchmarks.textured import prepare_textured
from medst_jax.data.mixture.data_options import DataOptions, DataSetOptions
from medst_jax.data.records.studies import open_studies

if TYPE_CHECKING:
    from medst_jax.data.loader.input import TrainInput

SIZE = 224
BATCH = 512  # rows of a host of four chips at 128 examples each
REPEATS = 7
IMAGES_PER_REPEAT = 2048  # so many that waiting threads do not count


def measure(
    data_dir: str,
    dataset: str,
    vocabulary: str,
    *,
    size: int = SIZE,
    workers: int = 1,
    images: int = IMAGES_PER_REPEAT,
    batch: int = BATCH,
    turns: int = REPEATS,
    torch_python: str | None = None,
) -> dict[str, Any]:
    """Rates of a prepared data set at a batch's image size.

    Args:
      data_dir: of `prepare.py`.
      dataset: its split `train` is read.
      vocabulary: tokenizer of the texts.
      size: side of the batch's images.
      workers: worker processes of the second measurement.
      images: of a turn.
      batch: rows of a batch.
      turns: how often each is measured.
      torch_python: an interpreter with torch, "" for none; None measures no peer at all.

    Returns:
      {"dataset", "size", "stored", "bytes", "batch", "bare", "first_pass", "pipeline", "share",
      "workers", "pipeline_workers", "share_workers", "peers": {name: rate}}; rates in images per
      second of processor time.
    """
    encoded = _encoded(data_dir, dataset)
    stored = simplejpeg.decode_jpeg(encoded[0], colorspace="GRAY").shape[:2]
    images_of_repeat = [encoded[k % len(encoded)] for k in range(images)]
    inputs = [_open(data_dir, dataset, vocabulary, size, n, batch) for n in (0, workers)]
    sources = [source.batches() for source in inputs]
    passed = -(-inputs[0].examples // batch)
    with contextlib.ExitStack() as stack:
        for source in inputs:
            stack.callback(source.close)
        others: list[Peer] = []
        if torch_python is not None:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            others = stack.enter_context(
                peers(encoded, folder, size=size, batch=batch, torch_python=torch_python)
            )
        first = _rate(sources[0], passed)
        for batches in sources:  # imports, files, buffers; and a whole pass of the workers
            _rate(batches, 1 + passed)
        for peer in others:
            peer.read(len(encoded))
        rates = [
            (
                _per_second(functools.partial(_bare, images_of_repeat, size)),
                *(_rate(batches, -(-images // batch)) for batches in sources),
                *(_per_second(functools.partial(peer.read, images)) for peer in others),
            )
            for _ in range(turns)
        ]
    bare, pipeline, with_workers, *theirs = (
        statistics.median(column) for column in zip(*rates, strict=True)
    )
    return {
        "dataset": dataset,
        "size": size,
        "stored": list(stored),
        "bytes": round(statistics.mean(len(data) for data in encoded)),
        "batch": batch,
        "bare": round(bare, 1),
        "first_pass": round(first, 1),
        "pipeline": round(pipeline, 1),
        "share": round(pipeline / bare, 3),
        "workers": workers,
        "pipeline_workers": round(with_workers, 1),
        "share_workers": round(with_workers / bare, 3),
        "peers": {peer.label: round(rate, 1) for peer, rate in zip(others, theirs, strict=True)},
    }


def measure_textured(
    folder: str, studies: int = 1024, turns: int = REPEATS, torch_python: str | None = None
) -> list[dict[str, Any]]:
    """`measure` of images made for it: stored at 512 and shrunk, stored at the batch's size."""
    rows = []
    for stored, size in ((512, SIZE), (512, 512), (SIZE, SIZE)):
        name = f"textured_{stored}"
        vocabulary = prepare_textured(folder, name, studies, stored)
        rows.append(
            measure(folder, name, vocabulary, size=size, turns=turns, torch_python=torch_python)
        )
    return rows


def _encoded(data_dir: str, dataset: str) -> list[bytes]:
    studies = open_studies(data_dir, dataset, "train")
    frontals = [studies[row].frontal() for row in range(min(len(studies), 1024))]
    return [image.data for image in frontals if image is not None and image.data[:2] == b"\xff\xd8"]


def _open(
    data_dir: str, dataset: str, vocabulary: str, size: int, workers: int, batch: int
) -> "TrainInput":
    # JAX only now: help is printed without it.
    from medst_jax.data.loader.input import load_tokenizer, make_input

    options = DataOptions(
        data_dir=data_dir,
        mixture={dataset: DataSetOptions()},
        size=size,
        vocabulary=vocabulary,
        exclude=(),
        num_workers=workers,
        threads=1,
    )
    tokenizer = load_tokenizer(options)
    return make_input(options, seed=0, global_batch=batch, tokenizer=tokenizer)


def _bare(images: list[bytes], size: int) -> int:
    for data in images:
        _square(data, size)
    return len(images)


def _square(data: bytes, size: int) -> np.ndarray:
    decoded = simplejpeg.decode_jpeg(data, colorspace="GRAY", min_height=size, min_width=size)
    pixels: np.ndarray = decoded[..., 0]
    if pixels.shape == (size, size):
        return pixels
    return cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA)


def _rate(batches: Iterator[dict[str, np.ndarray]], count: int) -> float:
    return _per_second(lambda: sum(len(next(batches)["example"]) for _ in range(count)))


def _per_second(work: Callable[[], int]) -> float:
    # Readers run ahead: a turn begins and ends with their buffers full and nothing going on, so
    # that it pays for what it took, and for nothing that another turn took.
    _wait_for_quiet()
    before = _processor_seconds()
    done = work()
    _wait_for_quiet()
    return done / (_processor_seconds() - before)


def _wait_for_quiet() -> None:
    """Return when for a second next to no processor time went by."""
    quiet, last = 0, _processor_seconds()
    while quiet < 5:
        time.sleep(0.2)
        now = _processor_seconds()
        quiet = quiet + 1 if now - last < 0.015 else 0
        last = now


def _processor_seconds() -> float:
    """Of this process and of all below it, those still running included."""
    total, tick = time.process_time(), os.sysconf("SC_CLK_TCK")
    for pid in _below(os.getpid()):
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            continue
        total += (int(fields[11]) + int(fields[12])) / tick
    return total


def _below(pid: int) -> list[int]:
    descendants = []
    for children in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            descendants += [int(child), *_below(int(child))]
    return descendants


def table(rows: list[dict[str, Any]]) -> str:
    """For people."""
    lines = [f"{'stored -> batch':>16} {'kB':>6} {'bare/s':>8} {'input/s':>8} {'share':>6} workers"]
    for row in rows:
        shape = f"{row['stored'][0]} -> {row['size']}"
        lines.append(
            f"{shape:>16} {row['bytes'] / 1000:>6.1f} {row['bare']:>8.0f} {row['pipeline']:>8.0f} "
            f"{row['share']:>6.1%} {row['share_workers']:.1%} with {row['workers']}; "
            f"first pass {row['first_pass'] / row['bare']:.1%}"
        )
        lines += [
            f"{name:>41} {rate:>8.0f} {row['pipeline'] / rate:>5.2f} times as fast"
            for name, rate in sorted(row["peers"].items(), key=lambda item: -item[1])
        ]
    return "\n".join(lines)


_DATA_DIR = flags.DEFINE_string("data_dir", "", "Prepared data; without it images are made.")
_DATASET = flags.DEFINE_string("dataset", "", "Data set of --data_dir.")
_TORCH = flags.DEFINE_string(
    "torch_python",
    None,
    'Measure inputs of other libraries too; torch\'s in this interpreter, "" for none of torch.',
)
_TURNS = flags.DEFINE_integer("turns", REPEATS, "How often each is measured.", lower_bound=1)
_VOCABULARY = flags.DEFINE_string("vocabulary", "", "Vocabulary of --data_dir.")


def run() -> list[dict[str, Any]]:
    """What the flags ask for."""
    if _DATA_DIR.value:
        return [
            measure(
                *(_DATA_DIR.value, _DATASET.value, _VOCABULARY.value),
                turns=_TURNS.value,
                torch_python=_TORCH.value,
            )
        ]
    with tempfile.TemporaryDirectory() as folder:
        return measure_textured(folder, turns=_TURNS.value, torch_python=_TORCH.value)


def main(_: list[str]) -> None:
    print(json.dumps(run()))


if __name__ == "__main__":
    app.run(main)
