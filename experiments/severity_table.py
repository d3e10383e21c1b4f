# SPDX-License-Identifier: Apache-2.0
"""The table of Liao et al. (arXiv:2103.04537) from the runs of the edema claims, as Markdown.

    python -m experiments.claims --claims=edema_claims --data_dir=data --output=runs/edema
    python -m experiments.severity_table --runs=runs/edema

AUROC of severity >= 1, 2, 3 and their mean, over training seeds, with a 95% interval by a bootstrap
over patients; frozen encoders by a probe, trained and tuned ones by their own head; and the mean
AUROC over findings of a probe. Published values stand beside ours: other data, other sizes.
"""

import pathlib
import sys

import numpy as np
from absl import app, flags

ROOT = pathlib.Path(__file__).resolve().parent.parent

from medst_jax.configs.evaluate.edema_claims import FINDINGS, HEAD, PROBE, SEEDS
from medst_jax.evaluate.statistics import bootstrap
from medst_jax.evaluate.statistics.measure import statistic
from medst_jax.evaluate.statistics.predictions import Predictions, read_predictions

_REPLICATES = flags.DEFINE_integer("draws", 500, "Of the bootstrap.", lower_bound=1)
_RUNS = flags.DEFINE_string("runs", "runs/edema", "Folder of experiments/claims.py.")

QUESTIONS = ("0 v 123", "01 v 23", "012 v 3")
# Name, run, task, published; of the four forms of information, CPC and MINE.
ROWS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("random encoder, frozen", "image_only_random", PROBE, ()),
    ("image only", "image_only_none", HEAD, (".80", ".71", ".90")),
    ("VAE, graded and ungraded images", "edema_vae_none", HEAD, ()),
    ("VAE, graded images alone", "edema_vae_graded_only", HEAD, ()),
    ("joint ranking", "joint_ranking_none", HEAD, ()),
    ("global, CPC, frozen", "mutual_information_none", PROBE, (".81", ".77", ".93")),
    ("global, MINE, frozen", "mutual_information_mine_none", PROBE, (".83", ".78", ".89")),
    ("global, CPC, tuned", "mutual_information_tuned_none", HEAD, (".81", ".79", ".93")),
    ("global, MINE, tuned", "mutual_information_mine_tuned_none", HEAD, (".82", ".81", ".93")),
    ("local, CPC, frozen", "local_mutual_information_none", PROBE, (".77", ".72", ".75")),
    ("local, MINE, frozen", "local_mutual_information_mine_none", PROBE, (".76", ".76", ".86")),
    ("local, CPC, tuned", "local_mutual_information_tuned_none", HEAD, (".87", ".83", ".97")),
    ("local, MINE, tuned", "local_mutual_information_mine_tuned_none", HEAD, (".83", ".85", ".93")),
)


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    runs = pathlib.Path(_RUNS.value)
    heads = ("encoder", *QUESTIONS, "mean", "findings", "published")
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    for name, run, task, published in ROWS:
        folders = [runs / f"{run}_{seed}" / "evaluation" / "predictions.npz" for seed in SEEDS]
        if not all(folder.exists() for folder in folders):
            print(f"{name}: not all of {run} has been run", file=sys.stderr)
            continue
        predictions = [read_predictions(folder) for folder in folders]
        severity = [one[task] for one in predictions]
        cells = [value(severity, f"auroc/{question}") for question in QUESTIONS]
        cells += [value(severity, "auroc"), value([one[FINDINGS] for one in predictions], "auroc")]
        print("| " + " | ".join((name, *cells, ", ".join(published))) + " |")


def value(runs: list[Predictions], metric: str) -> str:
    """The mean over seeds with its interval."""
    parts = [statistic(run, metric) for run in runs]
    mean = bootstrap.clustered_interval(
        lambda weights: np.mean([part(weights) for part in parts], axis=0),
        runs[0].patients,
        replicates=_REPLICATES.value,
    )
    return f"{mean.value:.2f} [{mean.low:.2f}, {mean.high:.2f}]"


if __name__ == "__main__":
    app.run(main)
