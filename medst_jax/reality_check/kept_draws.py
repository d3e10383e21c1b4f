# SPDX-License-Identifier: Apache-2.0
"""Draws of a cell's metrics, kept beside its predictions: a table made again costs next to nothing."""

import hashlib
import io

import numpy as np
from etils import epath

from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.reality_check.statistics import Draws, draw
from medst_jax.train.workdir import write_atomic

FOLDER = "draws"


def kept_draw(
    predictions: epath.Path, column: str, run: Predictions, metric: str, *, draws: int, seed: int
) -> Draws:
    """`draw(run, metric)`, read back where it was made before from the same file.

    Args:
      predictions: the file that `run` is the column of.
      column: which.
      run: its content.
      metric, draws, seed: as for `draw`.
    """
    stat = predictions.stat()
    key = f"{column}|{metric}|{draws}|{seed}|{stat.mtime}|{stat.length}"
    name = hashlib.sha256(key.encode()).hexdigest()[:24]
    path = predictions.parent / FOLDER / f"{name}.npz"
    if path.exists():
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return Draws(run.patients, arrays["whole"], arrays["values"], seed)
    made = draw(run, metric, draws=draws, seed=seed)
    path.parent.mkdir(exist_ok=True)
    # Another process may be reading or writing the same draws.
    file = io.BytesIO()
    np.savez(file, whole=made.whole, values=made.values)
    write_atomic(path, file.getvalue())
    return made
