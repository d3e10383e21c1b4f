# SPDX-License-Identifier: Apache-2.0
"""What the planner is asked, and its answer as text."""

import dataclasses
import json
import math
import pathlib
from typing import Any

from medst_jax.parallel.state_sharding import sharding_rows, sharding_table
from medst_jax.plan.encoders import plan_encoders
from medst_jax.plan.estimate import seconds_by_place
from medst_jax.plan.fit import largest_fit
from medst_jax.plan.hlo import parse_module
from medst_jax.plan.planning import Plan, make_plan
from medst_jax.plan.report import encoders_to_json, encoders_to_text, to_json, to_text
from medst_jax.plan.topology import Topology, describe
from medst_jax.plan.workload import make_workload, sizes_of
from medst_jax.systems.registry import system_class
from medst_jax.train.sections import check_sections
from medst_jax.train.state import split


@dataclasses.dataclass(frozen=True)
class Request:
    """The flags of `plan`.

    Attributes:
      topology: chips and their shape, for example "v5e:4x4", or GPUs, "h100:8".
      slices: of that shape.
      per_chip_batch: examples per chip; None for the configuration's.
      fit: search the largest batch per chip that fits.
      json: answer in JSON.
      dump_hlo: file for the compiled module's text.
      encoders: plan each encoder by itself.
      shardings: answer how parameters are cut, and compile nothing.
      breakdown: how many of the dearest places to list; in JSON under that key.
    """

    topology: str
    slices: int = 1
    per_chip_batch: int | None = None
    fit: bool = False
    json: bool = False
    dump_hlo: str | None = None
    encoders: bool = False
    shardings: bool = False
    breakdown: int = 0


def answer(config: dict[str, Any], request: Request) -> str:
    """What a configuration needs and costs; writes the module's text where that is asked for.

    Raises:
      TopologyError: a topology that does not exist.
    """
    check_sections(config)
    topology = describe(request.topology, request.slices)
    batch = request.per_chip_batch
    if request.shardings:
        assembly = make_workload(config, topology, sizes_of(config), batch).assembly
        parameters = split(assembly.template)[1]
        given = parameters, assembly.step.mesh, assembly.rules
        if request.json:
            return json.dumps({"shardings": sharding_rows(*given)}, indent=2)
        return sharding_table(*given)
    if request.encoders:
        plans = plan_encoders(config, topology, batch)
        if request.json:
            return json.dumps(encoders_to_json(plans), indent=2)
        return encoders_to_text(plans)
    plan = _plan(config, topology, request)
    if request.dump_hlo:
        pathlib.Path(request.dump_hlo).write_text(plan.text)
    dearest = _dearest(plan, topology, request.breakdown)
    if request.json:
        places = {"breakdown": dearest} if request.breakdown else {}
        return json.dumps(to_json(plan) | places, indent=2)
    lines = [f"{row['ms_per_example']:8.4f} ms per example  {row['origin']}" for row in dearest]
    return "\n".join([to_text(plan), *lines])


def _dearest(plan: Plan, topology: Topology, count: int) -> list[dict[str, Any]]:
    """The places of the program that cost most; none of one that does not fit."""
    if not count or not plan.text:
        return []
    per_example = 1e3 / plan.per_chip_batch
    rows = seconds_by_place(parse_module(plan.text), topology)[:count]
    return [{"origin": row.origin, "ms_per_example": row.cost * per_example} for row in rows]


def _plan(config: dict[str, Any], topology: Topology, request: Request) -> Plan:
    if not request.fit:
        return make_plan(config, topology, request.per_chip_batch)
    first, step = request.per_chip_batch or 32, _smallest_batch(config)
    return largest_fit(lambda n: make_plan(config, topology, n), first, step)


def _smallest_batch(config: dict[str, Any]) -> int:
    """What every batch per chip must be divisible by: slices of layers, rows of packs."""
    parts = [config["system"].get(name) or {} for name in ("image", "text")]
    numbers = [int(part.get("slices", 1)) for part in parts]
    if "sequence_rows" in system_class(config["system"]["name"]).required_keys:
        numbers.append(int(config["data"]["pack_rows"]))
    return math.lcm(*numbers)
