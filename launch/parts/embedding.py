# SPDX-License-Identifier: Apache-2.0
"""Features of the images of a table, block by block, and the files they are written to."""

import collections
import io
import json
from collections.abc import Sequence

import numpy as np
from etils import epath
from tqdm import tqdm

from medst_jax.data.mixture.data_options import DataOptions
from medst_jax.data_pipelines.image_table.direct import image_rows, squares
from medst_jax.data_pipelines.raw import Reject
from medst_jax.evaluate.subjects.embedder import Embedder, Embeddings
from medst_jax.files.writing import write_atomic
from medst_jax.options import parse
from medst_jax.train.checkpoint import LoadedSystem

_BLOCK = 512  # images in memory at once


def embed(
    loaded: LoadedSystem, source_dir: str, output: str, *, intensity: str, batch_size: int
) -> None:
    """Write the features of the images that metadata.csv of `source_dir` names.

    Args:
      loaded: a trained system.
      source_dir: folder with metadata.csv.
      output: the .npz file; rejected rows go beside it.
      intensity: how grey values become 8 bits, see `schema.INTENSITIES`.
      batch_size: images per call.

    Raises:
      TableError: no metadata.csv, or one without the required columns.
    """
    rows, rejects = image_rows(source_dir)
    data = parse(DataOptions, loaded.config["data"], "config.data")
    embedder = Embedder(loaded.system, loaded.tokenizer, data.size, data.text_length, batch_size)
    ids: list[str] = []
    # No image at all still gives arrays of the right widths.
    blocks = [embedder.images(np.zeros((0, data.size, data.size, 1), np.uint8))]
    pending: list[np.ndarray] = []
    read = squares(rows, source_dir, data.size, data.fit, intensity, data.decode)
    for row, image in tqdm(read, total=len(rows), desc="embed", unit="image"):
        if isinstance(image, Reject):
            rejects.append(image)
            continue
        ids.append(row.image_id)
        pending.append(image)
        if len(pending) == _BLOCK:
            blocks.append(embedder.images(np.stack(pending)))
            pending.clear()
    if pending:
        blocks.append(embedder.images(np.stack(pending)))
    target = epath.Path(output)
    target.parent.mkdir(parents=True, exist_ok=True)
    _write_features(target, ids, Embeddings.concatenate(blocks))
    _write_rejects(target.parent / f"{target.name}.rejects.jsonl", rejects)


def _write_features(output: epath.Path, ids: Sequence[str], embeddings: Embeddings) -> None:
    """Write image_id, features and global_."""
    buffer = io.BytesIO()
    np.savez(
        buffer,
        image_id=np.asarray(ids, dtype=str),
        features=embeddings.features,
        global_=embeddings.global_,
    )
    write_atomic(output, buffer.getvalue())
    print(f"{len(ids)} images, features {embeddings.features.shape}: {output}")


def _write_rejects(output: epath.Path, rejects: Sequence[Reject]) -> None:
    """List the rejected rows by line of metadata.csv, and print how many there are of each kind."""
    ordered = sorted(rejects, key=lambda reject: reject.row)
    output.write_text(
        "".join(json.dumps({"row": r.row, "reason": r.reason}) + "\n" for r in ordered)
    )
    for reason, count in sorted(collections.Counter(r.reason for r in rejects).items()):
        print(f"rejected {count}: {reason} (lines in {output})")
