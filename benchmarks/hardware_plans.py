# SPDX-License-Identifier: Apache-2.0
"""Plans of four configurations on a TPU slice and on nodes of GPUs, side by side (docs/gpu.md).

    python -m benchmarks.hardware_plans                # compiles what the results lack, one by one
    python -m benchmarks.hardware_plans --table        # prints the table from the results

Each configuration is planned at its own batch, and at one near the limit of memory, which the first plan's
peak suggests. Needs the extras `plan` and `plan-gpu`; a plan takes a minute or more on two idle cores. Results lie
beside this file in hardware_plans.json, written after each plan; those of the slice at their own batch are
`benchmarks.tpu_plans`'s.
"""

import json
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

from absl import app, flags

from medst_jax.benchmarks.planned import GIB, planned

_TABLE = flags.DEFINE_bool("table", False, "Print the table and compile nothing.")
_ONLY = flags.DEFINE_string("only", "", "Only topologies that begin so.")

RESULTS = pathlib.Path(__file__).with_suffix(".json")
CONFIGS = ("siglip_b16", "dlilp", "medst", "biovil_t")
SLICE = "v5e:4x4"
SLICE_PLANS = RESULTS.with_name("tpu_plans.json")
TOPOLOGIES = ("h100:8", SLICE, "a100:8")
MULTIPLE = 8  # packs of Med-ST have eight rows, and slices of layers are at most eight
# How near the limit the second batch is planned: a line through nothing and one peak is no better.
_NEAR = 0.85
_COLUMNS = (
    "configuration",
    "on",
    "examples per chip",
    "recomputed",
    "peak, GiB",
    "of",
    "step, ms",
    "whole run, chip hours",
    "a batch that fits",
    "its peak, GiB",
)


def largest_try(plan: dict[str, Any], multiple: int = MULTIPLE) -> int:
    """Examples per chip that should fill most of the memory, by the peak of one plan.

    Args:
      plan: `launch/plan.py --json` of a batch that fits.
      multiple: what the batch must be divisible by.
    """
    share = _NEAR * plan["hbm"]["capacity_bytes"] / plan["hbm"]["peak_bytes"]
    return max(int(plan["per_chip_batch"] * share) // multiple, 1) * multiple


def wanted(results: list[dict[str, Any]], only: str = "") -> Iterator[tuple[str, str, int | None]]:
    """(config, topology, examples per chip) of plans that the results lack; None: its own batch."""
    done = {(row["config"], row["topology"]): row for row in results if row["own_batch"]}
    near = {(row["config"], row["topology"]) for row in results if not row["own_batch"]}
    cells = [(c, t) for t in TOPOLOGIES if t.startswith(only) for c in CONFIGS]
    for cell in cells:
        if cell not in done:
            yield *cell, None
    for config, topology in cells:
        own = done.get((config, topology))
        if own and own["fits"] and (config, topology) not in near:
            yield config, topology, largest_try(own)


def table(results: list[dict[str, Any]]) -> str:
    """Markdown: a row for each configuration and topology."""
    lines = [
        f"| {' | '.join(_COLUMNS)} |",
        "|---" * len(_COLUMNS) + "|",
    ]
    for config in CONFIGS:
        for topology in TOPOLOGIES:
            rows = [r for r in results if (r["config"], r["topology"]) == (config, topology)]
            own = next((row for row in rows if row["own_batch"]), None)
            if own is None:
                continue
            # The largest that was compiled and fits.
            fitting = [row for row in rows if row["fits"]]
            most = max(fitting, key=lambda row: row["per_chip_batch"], default=None)
            cells = [f"`{config}`", topology, str(own["per_chip_batch"]), _recomputed(own)]
            cells += [_peak(own), f"{own['hbm']['capacity_bytes'] / GIB:.1f}", *_times(own)]
            cells += [str(most["per_chip_batch"]), _peak(most)] if most else ["", ""]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _peak(row: dict[str, Any]) -> str:
    return f"{row['hbm']['peak_bytes'] / GIB:.2f}"


def _recomputed(row: dict[str, Any]) -> str:
    parts = row["execution"].items()
    return ", ".join(name for name, by in parts if by.get("remat") == "full") or "nothing"


def _times(row: dict[str, Any]) -> tuple[str, str]:
    if not row["estimate"]:
        return "", ""
    step, run = row["estimate"], row["run"]
    return (
        f"{1e3 * step['step_seconds_low']:.1f} to {1e3 * step['step_seconds_high']:.1f}",
        f"{run['chip_hours_low']:.1f} to {run['chip_hours_high']:.1f}",
    )


def _plan(config: str, topology: str, batch: int | None) -> dict[str, Any]:
    return {"config": config, "own_batch": batch is None, **planned(config, topology, batch)}


def _read() -> list[dict[str, Any]]:
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else []


def with_slice(results: list[dict[str, Any]], plans: dict[str, Any]) -> list[dict[str, Any]]:
    """`results`, and the plans of the slice at the configurations' own batch.

    Args:
      results: what this module has planned.
      plans: name to plan, as `benchmarks.tpu_plans` keeps them.
    """
    own = [
        {"config": config, "own_batch": True, "topology": SLICE, **plans[config]}
        for config in CONFIGS
        if config in plans
    ]
    return [*results, *own]


def _all() -> list[dict[str, Any]]:
    return with_slice(_read(), json.loads(SLICE_PLANS.read_text()))


def main(_: list[str]) -> None:
    while not _TABLE.value and (left := list(wanted(_all(), _ONLY.value))):
        config, topology, batch = left[0]
        print(f"{config} on {topology}, {batch or 'its own batch'}", file=sys.stderr, flush=True)
        results = [*_read(), _plan(config, topology, batch)]
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(table(_all()))


if __name__ == "__main__":
    app.run(main)
