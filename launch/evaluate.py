# SPDX-License-Identifier: Apache-2.0
"""Evaluate a checkpoint, an encoder of another project, features or pixels by a suite of protocols.

    python launch/evaluate.py --checkpoint=/tmp/dlilp --suite=configs/evaluate/smoke.py --output=/tmp/out
    python launch/evaluate.py --weights=biovil --layout=biovil --size=480 --channels=3 --mean=0 --std=1 ...
    python launch/evaluate.py --features=features.npz --data_dir=data ...
    python launch/evaluate.py --baseline=all_pixels --data_dir=data ...

Writes metrics.json (one row per number), predictions.npz (for paired comparisons) and
report.html into the output folder, and prints the table.
"""

import datetime
import pathlib
import sys
from typing import cast

import jax
from absl import app, flags
from etils import epath
from ml_collections import config_flags

if not __package__:  # run as a script: the repository need not be installed
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from medst_jax.data.images.pixels import Fit
from medst_jax.data.images.preprocess import Preprocess
from medst_jax.data.mixture.data_options import DataOptions
from medst_jax.evaluate.report.page import HEADLINES, ReportOptions, write_report
from medst_jax.evaluate.statistics.predictions import write_predictions
from medst_jax.evaluate.statistics.rows import format_table, write_rows
from medst_jax.evaluate.subjects.baselines import BASELINES, PixelEmbedder
from medst_jax.evaluate.subjects.cautions import SystemUnderTest
from medst_jax.evaluate.subjects.context import EvaluationContext, EvaluationData
from medst_jax.evaluate.subjects.embedder import Embedder
from medst_jax.evaluate.subjects.feature_table import feature_table_context
from medst_jax.evaluate.subjects.imported import import_system
from medst_jax.evaluate.suite import parse_suite, run_suite
from medst_jax.models.weights.layout_registry import LAYOUTS
from medst_jax.options import parse
from medst_jax.train.checkpoint import CheckpointError, load_system

_CHECKPOINT = flags.DEFINE_string("checkpoint", None, "Workdir of a training run.")
_BASELINE = flags.DEFINE_enum(
    "baseline", None, list(BASELINES), "Pixels as features, in place of a checkpoint."
)
_SUITE = config_flags.DEFINE_config_file("suite", lock_config=True)
_OUTPUT = flags.DEFINE_string("output", None, "Folder for the results.", required=True)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Prepared data; default: that of the training.")
_STEP = flags.DEFINE_integer("step", None, "Which checkpoint; default: the newest.")
_EMA = flags.DEFINE_bool("ema", False, "Evaluate the moving average of the parameters.")
_BATCH = flags.DEFINE_integer("batch_size", 64, "Images or texts per call.", lower_bound=1)
_WEIGHTS = flags.DEFINE_string("weights", None, "File or folder of another project's weights.")
_LAYOUT = flags.DEFINE_enum("layout", None, list(LAYOUTS), "Names in the file of --weights.")
_FEATURES = flags.DEFINE_string("features", None, "An .npz of image_id [N] and features [N, D].")
_SIZE = flags.DEFINE_integer(
    "size", None, "Image side: of --weights, and of --baseline, 64 if not given.", lower_bound=8
)
_CHANNELS = flags.DEFINE_integer("channels", 3, "Channels that --weights takes.", lower_bound=1)
_MEAN = flags.DEFINE_list(
    "mean", ["0.5"], "Of pixels in [0, 1], for --weights; one or a channel's."
)
_STD = flags.DEFINE_list("std", ["0.5"], "Likewise.")
_FIT = flags.DEFINE_enum("fit", "pad", ["pad", "crop"], "How images become squares, for --weights.")
_LENGTH = flags.DEFINE_integer("text_length", 77, "Tokens of a text, for --weights.")
_NAME = flags.DEFINE_string("name", None, "Name of the system in the rows.")
_RESTRICTED = flags.DEFINE_bool(
    "include_restricted", False, "Show pixels and texts of data that may not be redistributed."
)


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    if not _SUITE.value:
        raise app.UsageError("give --suite=FILE")
    sources = (
        (_CHECKPOINT, _checkpoint),
        (_WEIGHTS, _weights),
        (_FEATURES, _features),
        (_BASELINE, _baseline),
    )
    given = [(flag.value, read) for flag, read in sources if flag.value]
    if len(given) != 1:
        raise app.UsageError(f"give one of {', '.join(f'--{flag.name}' for flag, _ in sources)}")
    (source, read), *_ = given
    try:
        options, tasks = parse_suite(_SUITE.value)
        context, system, facts = read(source)
        result = run_suite(options, tasks, context, system)
    except (CheckpointError, FileNotFoundError, ValueError) as error:
        raise SystemExit(f"error: {error}") from None
    output = epath.Path(_OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    write_rows(output / "metrics.json", result.rows)
    write_predictions(output / "predictions.npz", result.predictions)
    report = ReportOptions(
        title=f"Evaluation of {system.name}", facts=facts, include_restricted=_RESTRICTED.value
    )
    write_report(output / "report.html", report, result, context.data, system)
    print(format_table([row for row in result.rows if row.metric in HEADLINES]))
    for name, reason in result.skipped.items():
        print(f"skipped {name}: {reason}")
    print(f"report: {output / 'report.html'}")


def _checkpoint(workdir: str) -> tuple[EvaluationContext, SystemUnderTest, dict[str, str]]:
    loaded = load_system(workdir, step=_STEP.value, ema=_EMA.value)
    data = parse(DataOptions, loaded.config["data"], "config.data")
    embedder = Embedder(loaded.system, loaded.tokenizer, data.size, data.text_length, _BATCH.value)
    evaluation_data = EvaluationData(_DATA_DIR.value or data.data_dir, data.size, data.fit)
    system = SystemUnderTest(
        name=_NAME.value or loaded.name,
        seed=int(loaded.config["seed"]),
        stamp=loaded.stamp,
        trained={name: options.split for name, options in data.mixture.items()},
    )
    facts = {"checkpoint": workdir, "step": str(loaded.step), **_environment()}
    return EvaluationContext(embedder, evaluation_data), system, facts


def _weights(path: str) -> tuple[EvaluationContext, SystemUnderTest, dict[str, str]]:
    if not _LAYOUT.value:
        raise app.UsageError(f"--weights needs --layout, one of {', '.join(LAYOUTS)}")
    if _SIZE.value is None:
        raise app.UsageError(
            "--weights needs --size, the image side that the encoder was trained at"
        )
    mean, std = (_statistic(flag.value) for flag in (_MEAN, _STD))
    preprocess = Preprocess(_SIZE.value, cast(Fit, _FIT.value), mean, std, _CHANNELS.value)
    imported, tokenizer = import_system(path, _LAYOUT.value, preprocess)
    embedder = Embedder(imported, tokenizer, _SIZE.value, _LENGTH.value, _BATCH.value)
    context = EvaluationContext(embedder, _evaluation_data())
    name = _NAME.value or pathlib.Path(path).name
    return context, SystemUnderTest(name), {"weights": path, **_environment()}


def _statistic(values: list[str]) -> float | tuple[float, ...]:
    numbers = tuple(map(float, values))
    return numbers[0] if len(numbers) == 1 else numbers


def _features(path: str) -> tuple[EvaluationContext, SystemUnderTest, dict[str, str]]:
    context = feature_table_context(path, _evaluation_data())
    name = _NAME.value or pathlib.Path(path).stem
    return context, SystemUnderTest(name), {"features": path, **_environment()}


def _baseline(name: str) -> tuple[EvaluationContext, SystemUnderTest, dict[str, str]]:
    context = EvaluationContext(PixelEmbedder(name, _side()), _evaluation_data())
    return context, SystemUnderTest(_NAME.value or name), {"baseline": name, **_environment()}


def _evaluation_data() -> EvaluationData:
    """For contestants that were not trained here, and so know no data folder."""
    if _DATA_DIR.value is None:
        raise app.UsageError("without --checkpoint, give --data_dir=FOLDER")
    return EvaluationData(_DATA_DIR.value, _side(), cast(Fit, _FIT.value))


def _side() -> int:
    return _SIZE.value or 64


def _environment() -> dict[str, str]:
    today = datetime.date.today().isoformat()
    return {"date": today, "jax": jax.__version__, "device": jax.devices()[0].device_kind}


if __name__ == "__main__":
    app.run(main)
