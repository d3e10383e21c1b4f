# SPDX-License-Identifier: Apache-2.0
"""Two systems on the same images: the difference of a metric, paired by patient."""

from collections.abc import Sequence

import numpy as np

from medst_jax.evaluate.statistics import bootstrap
from medst_jax.evaluate.statistics.measure import statistic
from medst_jax.evaluate.statistics.predictions import Predictions


def compare(
    system: Sequence[Predictions],
    control: Sequence[Predictions],
    metric: str,
    *,
    replicates: int = bootstrap.REPLICATES,
    seed: int = 0,
) -> bootstrap.Interval:
    """Mean over training seeds of `system` minus that of `control`, with its patient interval.

    Args:
      system, control: one `Predictions` per training seed, all of one task on the same images.
      metric: as in `measure.statistic`.
      replicates, seed: of the bootstrap; a replicate takes the same patients for every run.

    Raises:
      ValueError: the runs were measured on different images, or a side is empty.
    """
    runs = [*system, *control]
    for other in runs[1:]:
        same = np.array_equal(runs[0].patients, other.patients)
        if not (same and np.array_equal(runs[0].targets, other.targets)):
            raise ValueError(
                f"runs of {len(runs[0].patients)} and {len(other.patients)} images cannot be "
                "paired: patients or targets differ; evaluate all of them on one build of the data"
            )
    return bootstrap.paired_difference(
        [statistic(p, metric) for p in system],
        [statistic(p, metric) for p in control],
        runs[0].patients if runs else np.zeros(0),
        replicates=replicates,
        seed=seed,
    )


def mean_value(runs: Sequence[Predictions], metric: str) -> float:
    """The metric averaged over the runs."""
    values = [statistic(p, metric)(np.ones((1, len(p.patients))))[0] for p in runs]
    return float(np.mean(values))
