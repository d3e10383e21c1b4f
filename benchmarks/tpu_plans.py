# SPDX-License-Identifier: Apache-2.0
"""Plans of every configuration of paper size on a TPU slice (docs/tpu_speed.md).

    python -m benchmarks.tpu_plans                     # compiles what the results lack, one by one
    python -m benchmarks.tpu_plans --configs=mrm,kad   # only these
    python -m benchmarks.tpu_plans --show              # prints the table from the results

Each configuration is planned at its own batch, divided by the 16 chips of v5e:4x4, by the training step that
`launch/train.py` would run. Needs the extra `plan`; a plan takes two to ten minutes on two idle cores. Results lie
beside this file in tpu_plans.json, written after each plan. Times are the compiler's cost model.
"""

import json
import pathlib
import sys
from typing import Any

from absl import app, flags

from medst_jax.benchmarks.planned import GIB, ROOT, planned

_SHOW = flags.DEFINE_bool("show", False, "Print the table and compile nothing.")
_CONFIGS = flags.DEFINE_list("configs", [], "Only these; all by default.")

RESULTS = pathlib.Path(__file__).with_suffix(".json")
TOPOLOGY = "v5e:4x4"
# What each plan keeps: the collectives one by one are long, and the planner's tests hold them.
KEPT = ("per_chip_batch", "execution", "parameters", "fits", "hbm", "flops_per_example", "estimate")
KEPT += ("run", "remedy", "compile_seconds", "versions")
_COLUMNS = (
    "configuration",
    "examples per chip",
    "peak, GiB",
    "ms per example and chip",
    "MFU, %",
    "whole run, chip hours",
    "compiled in, s",
)


def names() -> list[str]:
    """The configurations of paper size: every file of `configs/`."""
    return sorted(path.stem for path in (ROOT / "configs").glob("[a-z]*.py"))


def table(results: dict[str, dict[str, Any]]) -> str:
    """Markdown: a row for each configuration, by name.

    Args:
      results: name to what `plan` returned.
    """
    lines = [f"| {' | '.join(_COLUMNS)} |", "|---" * len(_COLUMNS) + "|"]
    for name in sorted(results):
        row = results[name]
        step, run, batch = row["estimate"], row["run"], row["per_chip_batch"]
        cells = [f"`{name}`", str(batch), f"{row['hbm']['peak_bytes'] / GIB:.2f}"]
        cells += [
            _span(1e3 * step["step_seconds_low"] / batch, 1e3 * step["step_seconds_high"] / batch),
            _span(100 * step["mfu_low"], 100 * step["mfu_high"]),
            _span(run["chip_hours_low"], run["chip_hours_high"]),
            f"{row['compile_seconds']:.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def plan(name: str) -> dict[str, Any]:
    """What is kept of the plan of one configuration."""
    values = planned(name, TOPOLOGY)
    return {key: values[key] for key in KEPT}


def _span(low: float, high: float) -> str:
    return f"{low:.3g} to {high:.3g}"


def main(_: list[str]) -> None:
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in () if _SHOW.value else _CONFIGS.value or names():
        if name not in results:
            print(f"{name} on {TOPOLOGY}", file=sys.stderr, flush=True)
            results[name] = plan(name)
            RESULTS.write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")
    print(table(results))


if __name__ == "__main__":
    app.run(main)
