# SPDX-License-Identifier: Apache-2.0
"""What a configuration needs and costs on a TPU topology; needs no TPU and no data.

    python launch/plan.py --config=configs/dlilp.py --topology=v5e:4x4
    python launch/plan.py --config=configs/siglip_b16.py --topology=v5p:2x2x4 --per_chip_batch=256 \\
        --config.mesh.fsdp=4 --config.rules=fsdp --json

Compiles the train step that training runs and reports memory, FLOPs, collectives and an
estimated step time. A program that does not fit is an answer with the compiler's figures.
Label set and vocabulary are the prepared data's, else those of config.system.labels and
config.system.vocabulary_size, else 14 labels and 32,000 pieces.
"""

import json
import logging
import math
import pathlib
import sys
from typing import Any

import absl.logging
from absl import app, flags
from ml_collections import config_flags

if not __package__:  # run as a script: the repository need not be installed
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from medst_jax.plan.topology import TopologyError, describe, prepare_environment

# Before anything imports a backend.
prepare_environment()

from medst_jax.parallel.parameter_table import sharding_table
from medst_jax.plan.cycles import breakdown
from medst_jax.plan.encoders import plan_encoders
from medst_jax.plan.fit import largest_fit
from medst_jax.plan.hlo import parse_module
from medst_jax.plan.planning import Plan, make_plan
from medst_jax.plan.report import encoders_to_json, encoders_to_text, to_json, to_text
from medst_jax.plan.workload import make_workload, sizes_of
from medst_jax.systems.registry import system_class
from medst_jax.train.run import USER_ERRORS, check_sections
from medst_jax.train.state import split

_CONFIG = config_flags.DEFINE_config_file("config", lock_config=True)
_TOPOLOGY = flags.DEFINE_string("topology", None, "Chips and their shape, for example v5e:4x4.")
_SLICES = flags.DEFINE_integer("num_slices", 1, "Slices of that shape.", lower_bound=1)
_BATCH = flags.DEFINE_integer("per_chip_batch", None, "Examples per chip.", lower_bound=1)
_FIT = flags.DEFINE_bool("fit", False, "Search the largest batch per chip that fits.")
_JSON = flags.DEFINE_bool("json", False, "Print JSON instead of a table.")
_HLO = flags.DEFINE_string("dump_hlo", None, "Write the compiled module's text to this file.")
_ENCODERS = flags.DEFINE_bool("encoders", False, "Plan each encoder by itself, not the train step.")
_SHARDINGS = flags.DEFINE_bool("print_shardings", False, "Print how parameters are cut, and stop.")
_BREAKDOWN = flags.DEFINE_integer("breakdown", 0, "Print so many of the dearest places.")


def main(_: list[str]) -> None:
    if _CONFIG.value is None or not _TOPOLOGY.value:
        raise app.UsageError("--config and --topology are required")
    absl.logging.set_verbosity(absl.logging.WARNING)
    logging.getLogger("medst_jax").setLevel(logging.INFO)
    # Through JSON, as train.py does: the same values give the same program.
    config = json.loads(json.dumps(_CONFIG.value.to_dict()))
    try:
        check_sections(config)
        topology = describe(_TOPOLOGY.value, _SLICES.value)
        if _SHARDINGS.value:
            assembly = make_workload(config, topology, sizes_of(config), _BATCH.value).assembly
            print(sharding_table(split(assembly.template)[1], assembly.step.mesh, assembly.rules))
            return
        if _ENCODERS.value:
            plans = plan_encoders(config, topology, _BATCH.value)
            table = encoders_to_json(plans)
            print(json.dumps(table, indent=2) if _JSON.value else encoders_to_text(plans))
            return
        if _FIT.value:
            step = _smallest_batch(config)
            plan = largest_fit(lambda n: make_plan(config, topology, n), _BATCH.value or 32, step)
        else:
            plan = make_plan(config, topology, _BATCH.value)
    except (*USER_ERRORS, TopologyError) as error:
        raise SystemExit(f"error: {error}") from None
    _show(plan)


def _smallest_batch(config: dict[str, Any]) -> int:
    """What every batch per chip must be divisible by: slices of layers, rows of packs."""
    parts = [config["system"].get(name) or {} for name in ("image", "text")]
    numbers = [int(part.get("slices", 1)) for part in parts]
    if "sequence_rows" in system_class(config["system"]["name"]).required_keys:
        numbers.append(int(config["data"]["pack_rows"]))
    return math.lcm(*numbers)


def _show(plan: Plan) -> None:
    if _HLO.value:
        pathlib.Path(_HLO.value).write_text(plan.text)
    print(json.dumps(to_json(plan), indent=2) if _JSON.value else to_text(plan))
    if _BREAKDOWN.value and plan.text:
        per_example = 1e3 / plan.topology.chip.clock / plan.per_chip_batch
        for row in breakdown(parse_module(plan.text))[: _BREAKDOWN.value]:
            print(f"{row.cycles * per_example:8.4f} ms per example  {row.origin}")


if __name__ == "__main__":
    app.run(main)
