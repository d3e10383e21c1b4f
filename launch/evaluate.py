# SPDX-License-Identifier: Apache-2.0
"""Evaluate a checkpoint, an encoder of another project, features or pixels by a suite of protocols.

    python launch/evaluate.py --checkpoint=/tmp/dlilp --suite=configs/evaluate/smoke.py --output=/tmp/out
    python launch/evaluate.py --weights=rad-dino --data_dir=data ...
    python launch/evaluate.py --weights=biovil --layout=biovil --crop_from=512 --size=480 --fit=crop --channels=3 --mean=0 --std=1 ...
    python launch/evaluate.py --features=features.npz --data_dir=data ...
    python launch/evaluate.py --baseline=all_pixels --data_dir=data ...
    python launch/evaluate.py --suite=configs/evaluate/dlilp.py --data_dir=data --dry_run

With --dry_run it says which data of the suite are there, and the command for each that is missing. Else it
writes metrics.json (one row per number), predictions.npz (for paired comparisons) and
report.html into the output folder, and prints the table; a suite of a published benchmark also prints
its published tables, our row above them. With --prompts=FILE.json zero-shot tasks ask by your own texts.
"""

import pathlib
import sys
from typing import cast

from absl import app, flags

if not __package__:  # run as a script: the repository need not be installed
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from medst_jax import config_flag
from medst_jax.commands.parts.answers import user_errors
from medst_jax.commands.parts.parse import parse_flags
from medst_jax.data.images import Fit

# The keys of tables in files that import JAX.
BASELINES = ("frame_pixels", "all_pixels")
LAYOUTS = (
    *("torchvision", "timm", "hf-bert", "hf-swin", "biovil", "biovil-t"),
    *("mgca", "medst", "gloria", "dlilp", "cxr-clip", "open-clip"),
    *("hf-siglip", "hf-clip", "hf-dinov2", "hf-dinov3", "biomedclip", "medclip", "mrm", "ark"),
)

_CHECKPOINT = flags.DEFINE_string("checkpoint", None, "Workdir of a training run.")
_BASELINE = flags.DEFINE_enum(
    "baseline", None, BASELINES, "Pixels as features, in place of a checkpoint."
)
_SUITE = config_flag.define("suite", config_flag.SUITES)
_OUTPUT = flags.DEFINE_string("output", None, "Folder for the results.")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Prepared data; default: that of the training.")
_STEP = flags.DEFINE_integer("step", None, "Which checkpoint; default: the newest.")
_STEPS = flags.DEFINE_list(
    "steps",
    None,
    "Several checkpoints of the run, asked together: zero-shot by pairs averages their "
    "probabilities, other tasks are left out.",
)
_EMA = flags.DEFINE_bool("ema", False, "Evaluate the moving average of the parameters.")
_BATCH = flags.DEFINE_integer("batch_size", 64, "Images or texts per call.", lower_bound=1)
_WEIGHTS = flags.DEFINE_string(
    "weights", None, "File, folder or hf-hub:owner/name of another project's weights."
)
_LAYOUT = flags.DEFINE_enum(
    "layout", None, LAYOUTS, "Names in the file of --weights; default: as its folder's files say."
)
_FEATURES = flags.DEFINE_string("features", None, "An .npz of image_id [N] and features [N, D].")
_SIZE = flags.DEFINE_integer(
    "size", None, "Image side: of --weights, and of --baseline, 64 if not given.", lower_bound=8
)
_CROP_FROM = flags.DEFINE_integer(
    "crop_from",
    None,
    "Side to which images are resized, of which --weights takes the centre --size.",
)
_CHANNELS = flags.DEFINE_integer("channels", 3, "Channels that --weights takes.", lower_bound=1)
_MEAN = flags.DEFINE_list(
    "mean", None, "Of pixels in [0, 1], for --weights; default: as its files say, else 0.5."
)
_STD = flags.DEFINE_list("std", None, "Likewise.")
_FIT = flags.DEFINE_enum(
    "fit",
    None,
    ["pad", "crop", "stretch"],
    "How images become squares, for --weights; default: as its files say, else pad.",
)
_LENGTH = flags.DEFINE_integer(
    "text_length", None, "Tokens of a text, for --weights; default: as trained, else 77."
)
_DRY_RUN = flags.DEFINE_bool(
    "dry_run", False, "Say which data of the suite are prepared and how to make the others."
)
_NAME = flags.DEFINE_string("name", None, "Name of the system in the rows.")
_PROMPTS = flags.DEFINE_string(
    "prompts",
    None,
    'JSON file of class to a list of texts, {"Edema": ["pulmonary edema", "fluid in the lung"]}, for the '
    "zero-shot tasks of the suite that ask by texts; those of mode auto then do.",
)
_TRAINED_ON = flags.DEFINE_string(
    "trained_on",
    "",
    "What --weights or --features, or the weights that a --checkpoint started from, were trained on: "
    "DATASET:SPLIT,..., none, or a known encoder; default: what is known of an encoder of that name.",
)
_UNTRAINED = flags.DEFINE_string(
    "untrained",
    None,
    "metrics.json of an untrained encoder on this suite, shown beside the numbers.",
)
_RESTRICTED = flags.DEFINE_bool(
    "include_restricted", False, "Show pixels and texts of data that may not be redistributed."
)


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    if not _SUITE.value:
        raise app.UsageError("give --suite=FILE")
    if _DRY_RUN.value:
        _dry_run()
        return
    if not _OUTPUT.value:
        raise app.UsageError("give --output=FOLDER for the results")
    sources = (_CHECKPOINT, _WEIGHTS, _FEATURES, _BASELINE)
    given = [flag.name for flag in sources if flag.value]
    if len(given) != 1:
        raise app.UsageError(f"give one of {', '.join(f'--{flag.name}' for flag in sources)}")
    _check(given[0])
    # JAX only now: flags are parsed, and help printed, without it.
    from etils import epath

    from medst_jax.commands.parts.evaluation import evaluate_into
    from medst_jax.commands.parts.subject import Request
    from medst_jax.evaluate.own_prompts import read_prompts
    from medst_jax.evaluate.published.comparison import format_comparison, format_exposures
    from medst_jax.evaluate.report.page import HEADLINES
    from medst_jax.evaluate.statistics.rows import format_table
    from medst_jax.evaluate.suite import parse_suite

    request = Request(
        checkpoint=_CHECKPOINT.value,
        step=_STEP.value,
        steps=tuple(map(int, _STEPS.value or ())),
        ema=_EMA.value,
        weights=_WEIGHTS.value,
        layout=_LAYOUT.value,
        channels=_CHANNELS.value,
        mean=_statistic(_MEAN.value),
        std=_statistic(_STD.value),
        text_length=_LENGTH.value,
        features=_FEATURES.value,
        baseline=_BASELINE.value,
        data_dir=_DATA_DIR.value,
        size=_SIZE.value,
        crop_from=_CROP_FROM.value,
        fit=cast(Fit | None, _FIT.value),
        batch_size=_BATCH.value,
        name=_NAME.value,
        trained_on=_TRAINED_ON.value,
    )
    with user_errors(ValueError):
        options, tasks = parse_suite(_SUITE.value)
        system, result = evaluate_into(
            _OUTPUT.value,
            options,
            tasks,
            request,
            include_restricted=_RESTRICTED.value,
            untrained=_UNTRAINED.value,
            own=read_prompts(_PROMPTS.value) if _PROMPTS.value else None,
        )
    print(format_table([row for row in result.rows if row.metric in HEADLINES]))
    for published in options.benchmark.tables if options.benchmark else ():
        print(f"\n{format_comparison(published, system.name, result.rows)}")
        print(format_exposures(published, result.rows))
    output = epath.Path(_OUTPUT.value)
    for name, reason in result.skipped.items():
        print(f"skipped {name}: {reason}")
    print(f"report: {output / 'report.html'}")
    if result.failed:
        lines = "".join(f"\n  {name}: {reason}" for name, reason in result.failed.items())
        raise SystemExit(
            f"error: {len(result.failed)} of {len(tasks)} tasks failed; the others are in {output}, "
            f"run the command again for all{lines}"
        )


def _dry_run() -> None:
    """Print what the suite needs, and what of it is there; nothing is computed."""
    from medst_jax.evaluate.published.availability import availability, format_availability
    from medst_jax.evaluate.published.benchmark import parse_benchmark

    data_dir = _DATA_DIR.value or "data"
    with user_errors(ValueError):
        benchmark = parse_benchmark(_SUITE.value)
        title = benchmark.title if benchmark else "the suite"
        print(format_availability(title, availability(_SUITE.value.tasks, data_dir), data_dir))


def _check(source: str) -> None:
    """Raise a UsageError for flags that the source of features needs and lacks."""
    steps = _STEPS.value or []
    if steps and (source != "checkpoint" or _STEP.value is not None):
        raise app.UsageError("--steps names checkpoints of --checkpoint, in place of --step")
    if not all(step.isdecimal() for step in steps) or len(set(steps)) < len(steps):
        raise app.UsageError(
            f"--steps is {','.join(steps)}; give different steps of the run, such as 1000,2000"
        )
    if _CROP_FROM.value is not None and source != "weights":
        raise app.UsageError("--crop_from says what --weights takes; leave it out here")
    if _TRAINED_ON.value and source == "baseline":
        raise app.UsageError("pixels were trained on nothing: leave --trained_on out")
    if source != "checkpoint" and _DATA_DIR.value is None:
        raise app.UsageError("without --checkpoint, give --data_dir=FOLDER")


def _statistic(values: list[str] | None) -> float | tuple[float, ...] | None:
    if values is None:
        return None
    numbers = tuple(map(float, values))
    return numbers[0] if len(numbers) == 1 else numbers


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
