# SPDX-License-Identifier: Apache-2.0
"""Bootstrap replicates of a cell's metrics, stored beside its predictions: computing a table again
costs next to nothing."""

import contextlib
import hashlib
import io

import numpy as np
from etils import epath

from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.files.reading import read_arrays
from medst_jax.reality_check.statistics import Replicates, bootstrap_replicates
from medst_jax.train.workdir import write_atomic

FOLDER = "draws"


def cached_replicates(
    predictions: epath.Path,
    column: str,
    run: Predictions,
    metric: str,
    *,
    replicates: int,
    seed: int,
) -> Replicates:
    """`bootstrap_replicates(run, metric)`, read from the cache where the same file gave them before.

    Args:
      predictions: the file that `run` is the column of.
      column: which.
      run: its content.
      metric, replicates, seed: as for `bootstrap_replicates`.
    """
    stat = predictions.stat()
    key = f"{column}|{metric}|{replicates}|{seed}|{stat.mtime}|{stat.length}"
    name = hashlib.sha256(key.encode()).hexdigest()[:24]
    path = predictions.parent / FOLDER / f"{name}.npz"
    with contextlib.suppress(OSError):  # what is not there, or cannot be read, is drawn again
        arrays = read_arrays(path, "", ("whole", "values"))
        return Replicates(run.patients, arrays["whole"], arrays["values"], seed)
    sampled = bootstrap_replicates(run, metric, replicates=replicates, seed=seed)
    path.parent.mkdir(exist_ok=True)
    # Another process may be reading or writing the same replicates.
    file = io.BytesIO()
    np.savez(file, whole=sampled.whole, values=sampled.values)
    write_atomic(path, file.getvalue())
    return sampled
