# SPDX-License-Identifier: Apache-2.0
"""What a training costs: parameters, FLOPs, and the chip time they take at the very least."""

import contextlib
import json
from typing import Any

import jax
from etils import epath
from flax import nnx

from medst_jax import systems
from medst_jax.data.batch import batch_spec, keys_of
from medst_jax.data.mixture.data_options import DataOptions
from medst_jax.files.reading import read_json
from medst_jax.options import parse
from medst_jax.plan.chips import CHIPS
from medst_jax.plan.flops import forward_flops
from medst_jax.train.run_records import read_config, read_system
from medst_jax.train.state import abstract_system
from medst_jax.train.workdir import write_atomic

COST = "cost.json"
CHIP = "v5e"


def cost_of(folder: epath.Path) -> dict[str, float]:
    """Costs of a finished training, from the records in its folder; counted once and stored there.

    Returns:
      "parameters"; "flops_per_example" of a training step, three times the forward pass;
      "chip_hours" on one v5e chip at its peak rate, which no training reaches; empty where the
      folder holds no training.
    """
    cache = folder / COST
    with contextlib.suppress(OSError):  # what is not there, or cannot be read, is counted again
        costs: dict[str, float] = read_json(cache, "", fields={"chip_hours": float})
        return costs
    if not (folder / "system.json").exists():
        return {}
    record = read_system(folder)
    costs = _count_costs(read_config(folder), record["name"], record["options"])
    write_atomic(cache, json.dumps(costs) + "\n")
    return costs


def _count_costs(config: dict[str, Any], name: str, options: dict[str, Any]) -> dict[str, float]:
    system = abstract_system(lambda: systems.build(name, **options))
    data = parse(DataOptions, config["data"], "config.data")
    rows, steps = config["train"]["batch_size"], config["train"]["steps"]
    batch = batch_spec(
        keys_of(type(system).required_keys),
        rows,
        size=data.size,
        length=data.text_length,
        labels=len(system.labels),
        studies=data.sequence_length,
        entities=len(options.get("entities", ())),
        places=len(options.get("places", ())),
    )
    graph, state = nnx.split(system)

    def loss(state: Any, batch: Any, key: jax.Array) -> jax.Array:
        return nnx.merge(graph, state, copy=True).loss(batch, rngs=key)[0]

    key = jax.eval_shape(lambda: jax.random.key(0))
    flops = 3.0 * forward_flops(loss, state, dict(batch), key) / rows
    seconds = flops * rows * steps / CHIPS[CHIP].peak_flops
    parameters = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(system, nnx.Param)))
    return {
        "parameters": parameters,
        "flops_per_example": flops,
        "chip_hours": seconds / 3600,
    }
