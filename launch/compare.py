# SPDX-License-Identifier: Apache-2.0
"""Compare systems on the same test images: paired differences, intervals, tests, curves, one page.

    python launch/compare.py runs/clip runs/dlilp --suite=configs/evaluate/smoke.py --output=/tmp/compared
    python launch/compare.py mine=runs/clip rad-dino=hf-hub:microsoft/rad-dino other=features.npz \\
        --suite=mine_suite.py --data_dir=data --output=/tmp/compared
    python launch/compare.py /tmp/evaluation_a /tmp/evaluation_b --output=/tmp/compared

Each word is a training's workdir or one of its checkpoints, a folder of weights, hf-hub:owner/name, an
.npz of features as embed.py writes it, or a folder that evaluate.py wrote; NAME=PATH names it. What was
not evaluated is evaluated by the suite into a folder of --output, and again when suite, data or source
change. Weights whose files do not say their layout or image size are evaluated by evaluate.py first.
"""

import pathlib
import sys

from absl import app, flags

if not __package__:  # run as a script: the repository need not be installed
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from medst_jax import config_flag
from medst_jax.command_line import user_command
from medst_jax.commands.parts.answers import user_errors
from medst_jax.commands.parts.parse import parse_flags

_SUITE = config_flag.define("suite", config_flag.SUITES)
_OUTPUT = flags.DEFINE_string("output", None, "Folder for the page.", required=True)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Prepared data; default: that of each training.")
_BATCH = flags.DEFINE_integer("batch_size", 64, "Images or texts per call.", lower_bound=1)
_RESTRICTED = flags.DEFINE_bool(
    "include_restricted", False, "Show pixels and texts of data that may not be redistributed."
)


def main(argv: list[str]) -> None:
    if len(argv) < 3:
        raise app.UsageError("name two or more systems, such as runs/a runs/b")
    # JAX only now: flags are parsed, and help printed, without it.
    from medst_jax.commands.parts.evaluation import evaluate_into
    from medst_jax.commands.parts.sides import Side, evaluation_of, parse_sides
    from medst_jax.commands.parts.subject import Request
    from medst_jax.comparison.differences import differences
    from medst_jax.comparison.page import write
    from medst_jax.evaluate.suite import SuiteOptions, parse_suite
    from medst_jax.pages.shown import probability

    output = pathlib.Path(_OUTPUT.value)
    with user_errors(ValueError):
        sides = parse_sides(argv[1:])
        suite = _SUITE.value.to_dict() if _SUITE.value else None
        options, tasks = parse_suite(_SUITE.value) if suite else (SuiteOptions({}), {})

        def evaluate(side: Side, folder: pathlib.Path) -> bool:
            request = Request(
                checkpoint=side.path if side.kind == "checkpoint" else None,
                weights=side.path if side.kind == "weights" else None,
                features=side.path if side.kind == "features" else None,
                step=side.step,
                data_dir=_DATA_DIR.value,
                batch_size=_BATCH.value,
                name=side.name,
            )
            _, result = evaluate_into(
                folder, options, tasks, request, include_restricted=_RESTRICTED.value
            )
            for name, reason in {**result.skipped, **result.failed}.items():
                print(f"{side.name}: no {name}: {reason}")
            return not result.failed

        systems = [evaluation_of(side, output, suite, _DATA_DIR.value, evaluate) for side in sides]
        compared = differences(systems, replicates=options.draws, seed=options.seed)
        output.mkdir(parents=True, exist_ok=True)
        write(output, systems, compared, {s.name: s.source for s in systems})
    for c in compared:
        tested = "too few images for a test"
        if c.difference and c.p_holm is not None:
            bounds = f"{c.difference.low:+.3f} to {c.difference.high:+.3f}"
            tested = f"95% interval {bounds}, p {probability(c.p_holm)} (Holm)"
        words = f"{c.asked.metric.replace('_', ' ')} of {c.asked.part}"
        print(f"{c.first} - {c.second}: {words} {c.value:+.3f}, {tested}")
    print(f"page: {output / 'comparison.html'}, numbers: {output / 'comparison.json'}")
    print(f"next, the same over several training seeds: {user_command('reality_check')} --help")


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
