# SPDX-License-Identifier: Apache-2.0
"""The table of configs/dlilp_open.py: a linear probe on kermany_224, train to val.

    python -m experiments.open_data --data_dir=data --output=runs/open

Rows: pixels of the frame, all pixels, a random encoder, a small supervised net, and DLILP with and
without kermany's labels in pre-training and with shuffled notes. Writes open_data.json and prints
the table; the difference that counts is (DLILP without kermany's labels - random encoder).
"""

import json
import pathlib

from absl import app, flags

ROOT = pathlib.Path(__file__).resolve().parent.parent

from experiments.runs import FROZEN, Run, finish_all
from medst_jax.evaluate.statistics.bootstrap import clustered_interval
from medst_jax.evaluate.statistics.comparison import compare, mean_value
from medst_jax.evaluate.statistics.measure import statistic
from medst_jax.evaluate.statistics.predictions import read_predictions

_DATA = flags.DEFINE_string("data_dir", "data", "The four prepared sets and their vocabulary.")
_OUTPUT = flags.DEFINE_string("output", "runs/open", "Folder for runs and results.")
_SEEDS = flags.DEFINE_integer("seeds", 3, "Training seeds 0, 1, ... of each trained row.")
_JOBS = flags.DEFINE_integer("jobs", 1, "Runs at a time; more than one pins each to a core.")
_ROWS = flags.DEFINE_list("rows", [], "Only these rows of the table.")

TASK, METRIC = "probe/100%", "balanced_accuracy"
BASELINES = ("frame_pixels", "all_pixels")
# Row -> variant of the config and further flags.
TRAINED: dict[str, tuple[str, tuple[str, ...]]] = {
    "random": ("without_kermany", (*FROZEN, "--config.train.steps=50")),
    "dlilp_without_kermany": ("without_kermany", ()),
    "supervised": ("supervised", ()),
    "dlilp": ("", ()),
    "dlilp_shuffled_notes": ("", ("--config.data.shuffle=pairs",)),
}


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    output = pathlib.Path(_OUTPUT.value)
    evaluate = (
        f"--suite={ROOT / 'configs/evaluate/kermany.py'}",
        f"--data_dir={_DATA.value}",
    )
    chosen = _ROWS.value or [*BASELINES, *TRAINED]
    folders: dict[str, list[pathlib.Path]] = {}
    runs = []
    for name in chosen:
        if name in BASELINES:
            folders[name] = [output / name]
            runs.append(Run(output / name, (), (f"--baseline={name}", *evaluate)))
            continue
        variant, extra = TRAINED[name]
        folders[name] = [output / f"{name}_{seed}" for seed in range(_SEEDS.value)]
        config = f"--config={ROOT / 'configs/dlilp_open.py'}" + (f":{variant}" if variant else "")
        data = f"--config.data.data_dir={_DATA.value}"
        for seed, folder in enumerate(folders[name]):
            arguments = (config, f"--config.seed={seed}", data, *extra)
            runs.append(Run(folder, arguments, (*evaluate, f"--name={name}")))
    finish_all(runs, _JOBS.value)
    predictions = {
        name: [read_predictions(f / "evaluation" / "predictions.npz")[TASK] for f in group]
        for name, group in folders.items()
    }
    rows = []
    for name, group in predictions.items():
        low, high = _interval(group)
        rows.append(
            dict(
                name=name,
                value=mean_value(group, METRIC),
                low=low,
                high=high,
                seeds=len(group),
                n=len(group[0].patients),
            )
        )
    result: dict[str, object] = {"task": TASK, "metric": METRIC, "rows": rows}
    if {"dlilp_without_kermany", "random"} <= set(predictions):
        effect = compare(predictions["dlilp_without_kermany"], predictions["random"], METRIC)
        result["dlilp_without_kermany_minus_random"] = dict(
            value=effect.value, low=effect.low, high=effect.high
        )
    (output / "open_data.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def _interval(group: list) -> tuple[float, float]:
    """Bounds of the mean over training seeds."""
    statistics = [statistic(p, METRIC) for p in group]

    def mean(weights):
        return sum(s(weights) for s in statistics) / len(statistics)

    bounds = clustered_interval(mean, group[0].patients)
    return bounds.low, bounds.high


if __name__ == "__main__":
    app.run(main)
