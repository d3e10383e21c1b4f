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
from collections.abc import Sequence

import numpy as np
from absl import app, flags
from etils import epath
from tqdm import tqdm

if not __package__:  # run as a script: the repository need not be installed
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from medst_jax.data.mixture.data_options import DataOptions
from medst_jax.data.records.schema import INTENSITIES
from medst_jax.data_pipelines.image_table.direct import image_rows, squares
from medst_jax.data_pipelines.listing.csv_table import TableError
from medst_jax.data_pipelines.raw import Reject
from medst_jax.evaluate.subjects.embedder import Embedder, Embeddings
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
        rows, rejects = image_rows(_SOURCE.value)
    except (CheckpointError, TableError, WorkdirError) as error:
        raise SystemExit(f"error: {error}") from None
    data = parse(DataOptions, loaded.config["data"], "config.data")
    embedder = Embedder(loaded.system, loaded.tokenizer, data.size, data.text_length, _BATCH.value)
    ids: list[str] = []
    # No image at all still gives arrays of the right widths.
    blocks = [embedder.images(np.zeros((0, data.size, data.size, 1), np.uint8))]
    held: list[np.ndarray] = []
    read = squares(rows, _SOURCE.value, data.size, data.fit, _INTENSITY.value)
    for row, image in tqdm(read, total=len(rows), desc="embed", unit="image"):
        if isinstance(image, Reject):
            rejects.append(image)
            continue
        ids.append(row.image_id)
        held.append(image)
        if len(held) == _BLOCK:
            blocks.append(embedder.images(np.stack(held)))
            held.clear()
    if held:
        blocks.append(embedder.images(np.stack(held)))
    output = epath.Path(_OUTPUT.value)
    output.parent.mkdir(parents=True, exist_ok=True)
    write_features(output, ids, Embeddings.concatenate(blocks))
    write_rejects(output.parent / f"{output.name}.rejects.jsonl", rejects)


def write_features(output: epath.Path, ids: Sequence[str], embeddings: Embeddings) -> None:
    """Write image_id, features and global_."""
    with output.open("wb") as file:
        np.savez(
            file,  # type: ignore[arg-type]
            image_id=np.asarray(ids, dtype=str),
            features=embeddings.features,
            global_=embeddings.global_,
        )
    print(f"{len(ids)} images, features {embeddings.features.shape}: {output}")


def write_rejects(output: epath.Path, rejects: Sequence[Reject]) -> None:
    """List the rejected rows by line of metadata.csv, and print how many there are of each kind."""
    ordered = sorted(rejects, key=lambda reject: reject.row)
    output.write_text(
        "".join(json.dumps({"row": r.row, "reason": r.reason}) + "\n" for r in ordered)
    )
    for reason, count in sorted(collections.Counter(r.reason for r in rejects).items()):
        print(f"rejected {count}: {reason} (lines in {output})")


if __name__ == "__main__":
    app.run(main)
