# SPDX-License-Identifier: Apache-2.0
"""A reality check whose cells were never trained: predictions of known quality in their folders."""

import json
import pathlib

import numpy as np

from medst_jax.evaluate.statistics.predictions import Predictions, write_predictions
from medst_jax.evaluate.statistics.rows import Row, write_rows
from medst_jax.reality_check.cells import Sources, needed_cells, row_specs
from medst_jax.reality_check.options import CheckOptions, parse_check
from medst_jax.reality_check.record import claim_folder
from medst_jax.reality_check.results import tabulate
from medst_jax.reality_check.runner import CellRunner

M, C = "simulated_cxr_m", "simulated_cxr_c"
SITES = {M: Sources(text=True, labels=True), C: Sources(text=False, labels=True)}
NEEDS = {"clip": Sources(text=True, labels=False), "dlilp": Sources(text=True, labels=True)}
COUNT = 90


def options(**changes: object) -> CheckOptions:
    return parse_check(
        {
            **dict(
                systems=("clip", "dlilp"),
                mixtures={"M": (M,), "M+C": (M, C)},
                seeds=(0, 1),
                variant="tiny",
                columns={"names": "balanced_accuracy", "prototypes": "balanced_accuracy"},
                controls={"random": dict(system="dlilp", mixture="M", flags=("--x=1",))},
                reference="random",
                baselines=("all_pixels",),
            ),
            **changes,
        }
    )


def predictions(shift: float, seed: int) -> Predictions:
    rng = np.random.default_rng(seed)
    targets = np.arange(COUNT) % 3
    scores = rng.normal(size=(1, COUNT, 3)).astype(np.float32)
    scores[0, np.arange(COUNT), targets] += shift
    views = np.where(np.arange(COUNT) < 55, "PA", "AP")
    views[55:60] = "unknown"
    groups = {"view": views}
    return Predictions("single", np.arange(COUNT) // 2, targets, scores, ("a", "b", "c"), groups)


def cell_runner(root: pathlib.Path, suite: str = "suite.py", *flags: str) -> CellRunner:
    """A workshop below `root`."""
    return CellRunner(root, root / "out", suite, "digest", "data", "tiny", flags)


def write(runner: CellRunner, name: str, shift: float, seed: int, *columns: str) -> None:
    cell = next(c for c in needed_cells(rows()) if c.name == name)
    folder = runner.folder(cell)
    (folder / "evaluation").mkdir(parents=True)
    write_predictions(
        folder / "evaluation" / "predictions.npz", {c: predictions(shift, seed) for c in columns}
    )
    (folder / "summary.json").write_text(json.dumps({"examples_per_second": 100.0 + seed}))
    (folder / "input.json").write_text(json.dumps({"fingerprints": {M: "abc"}}))
    claim_folder(folder, runner.record(cell))
    exposures = {"names": "clean", "prototypes": "unknown"}
    write_rows(
        folder / "evaluation" / "metrics.json",
        [
            Row(
                "s",
                "d",
                column,
                "p",
                "auroc",
                0.5,
                None,
                None,
                COUNT,
                seed,
                exposure=exposures[column],
            )
            for column in columns
        ],
    )


def rows():
    return row_specs(options(), SITES, NEEDS)


def table_of(runner: CellRunner):
    return tabulate(options(), rows(), runner, replicates=200, seed=0)
