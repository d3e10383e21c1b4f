# SPDX-License-Identifier: Apache-2.0
"""Image features of any image_table folder (metadata.csv and images), without preparing it first.

    python launch/embed.py --checkpoint=/tmp/dlilp --source_dir=FOLDER --output=features.npz

The file holds image_id, features [N, D] (before projection, for probes) and global_ [N, E] (unit
norm, joint space), in the order of metadata.csv. Images go through the same decoding, grey
values and fitting as in training; rejected rows are counted and listed by line and reason in
`<output>.rejects.jsonl`.
"""

import collections
import json
import pathlib
import sys
from collections.abc import Iterator

import numpy as np
from absl import app, flags
from etils import epath
from tqdm import tqdm

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from data_pipelines import image_files, intensity
from data_pipelines.image_table import TableError
from data_pipelines.image_table.grouping import ImageRow, check_rows
from data_pipelines.image_table.table import read_table
from data_pipelines.raw import Reject
from medst_jax.data import pixels
from medst_jax.data.data_options import DataOptions
from medst_jax.data.schema import INTENSITIES
from medst_jax.evaluate.embedder import Embedder, Embeddings
from medst_jax.options import parse
from medst_jax.train.checkpoint import CheckpointError, load_system
from medst_jax.train.workdir import WorkdirError

_CHECKPOINT = flags.DEFINE_string("checkpoint", None, "Workdir of a training run.", required=True)
_SOURCE = flags.DEFINE_string("source_dir", None, "Folder with metadata.csv.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "The .npz file to write.", required=True)
_INTENSITY = flags.DEFINE_enum(
    "intensity", "voi_lut", INTENSITIES, "Grey values; voi_lut leaves 8-bit images as they are."
)
_BATCH = flags.DEFINE_integer("batch_size", 64, "Images per call.", lower_bound=1)
_STEP = flags.DEFINE_integer("step", None, "Which checkpoint; default: the newest.")
_EMA = flags.DEFINE_bool("ema", False, "Use the moving average of the parameters.")
_BLOCK = 512  # images held at once


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    try:
        loaded = load_system(_CHECKPOINT.value, step=_STEP.value, ema=_EMA.value)
        data = parse(DataOptions, loaded.config["data"], "config.data")
        table, rejects = read_table(_SOURCE.value)
    except (CheckpointError, TableError, WorkdirError) as error:
        raise SystemExit(f"error: {error}") from None
    rows, refused, _ = check_rows(table, None)
    rejects += [*refused, *(Reject(row.line, "no image") for row in rows if not row.path)]
    rows = [row for row in rows if row.path]
    embedder = Embedder(loaded.system, loaded.tokenizer, data.size, data.text_length, _BATCH.value)
    ids: list[str] = []
    blocks = [embedder.images(np.zeros((0, data.size, data.size, 1), np.uint8))]
    for names, images in read_blocks(rows, _SOURCE.value, data.size, data.fit, rejects):
        ids += names
        blocks.append(embedder.images(images))
    write(epath.Path(_OUTPUT.value), ids, Embeddings.concatenate(blocks), rejects)


def read_blocks(
    rows: list[ImageRow], source_dir: str, size: int, fit: pixels.Fit, rejects: list[Reject]
) -> Iterator[tuple[list[str], np.ndarray]]:
    """Names and images uint8 [N, S, S, 1] of the readable rows; adds the others to `rejects`."""
    names: list[str] = []
    images: list[np.ndarray] = []
    for row in tqdm(rows, desc="embed", unit="image"):
        try:
            images.append(read_image(source_dir, row.path, size, fit, _INTENSITY.value))
        except (image_files.UnreadableImage, intensity.IntensityError) as error:
            rejects.append(Reject(row.line, str(error)))
            continue
        names.append(row.image_id)
        if len(names) == _BLOCK:
            yield names, np.stack(images)
            names, images = [], []
    if names:
        yield names, np.stack(images)


def read_image(
    source_dir: str, path: str, size: int, fit: pixels.Fit, grey_values: str
) -> np.ndarray:
    """One image as training would see it, uint8 [S, S, 1].

    Raises:
      UnreadableImage: missing or damaged; the message is a reason without names.
      IntensityError: 16-bit values that `grey_values` cannot bring to 8 bits.
    """
    data = image_files.read_bytes(source_dir, path)
    source = image_files.decode(data, voi_lut=grey_values == "voi_lut")
    grey = intensity.convert(source.pixels, grey_values, "jpeg", windowed=source.windowed)
    return pixels.fit_square(grey, size, fit)


def write(
    output: epath.Path, ids: list[str], embeddings: Embeddings, rejects: list[Reject]
) -> None:
    """Write the features and the rejects, and print their counts."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("wb") as file:
        np.savez(
            file,  # type: ignore[arg-type]
            image_id=np.asarray(ids, dtype=str),
            features=embeddings.features,
            global_=embeddings.global_,
        )
    print(f"{len(ids)} images, features {embeddings.features.shape}: {output}")
    listed = output.parent / f"{output.name}.rejects.jsonl"
    lines = [json.dumps({"row": r.row, "reason": r.reason}) + "\n" for r in rejects]
    listed.write_text("".join(lines))
    for reason, count in sorted(collections.Counter(r.reason for r in rejects).items()):
        print(f"rejected {count}: {reason} (lines in {listed})")


if __name__ == "__main__":
    app.run(main)
