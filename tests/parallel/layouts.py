# SPDX-License-Identifier: Apache-2.0
"""A program: first step and twenty SGD steps of the toy system on several meshes, as JSON.

    layouts.py WORKDIR [NAME ...]

Devices and processes are fixed when a program starts, so the tests cannot do this themselves:
JAX_NUM_CPU_DEVICES says how many devices a process has, JAX_COORDINATOR_ADDRESS,
JAX_NUM_PROCESSES and JAX_PROCESS_ID join several. A mesh that does not take all devices runs on
the first ones, in one process.
"""

import hashlib
import json
import os
import sys

import jax
import numpy as np
import optax
from jax.experimental import multihost_utils

from medst_jax import systems
from medst_jax.parallel import (
    join_processes,
    local_rows,
    make_mesh,
    put_batch,
    sharding_table,
    state_sharding,
)
from medst_jax.train.checkpoint import Checkpoints
from medst_jax.train.state import abstract_system, init_state, split
from medst_jax.train.step import make_train_step
from medst_jax.train.summary import state_checksum
from tests.train import toy

# The toy's first kernel counts as large: it is kept in parts on all devices.
state_sharding.SMALLEST = 16 * 16
LAYOUTS = {
    "one": ((1, 1, 1), "dp"),
    "data": ((8, 1, 1), "dp"),
    "fsdp": ((2, 4, 1), "fsdp"),
    "tensor": ((2, 2, 2), "fsdp_tp"),
    "layers": ((1, 1, 8), "fsdp_tp"),
}
BATCH = 16


def build() -> systems.System:
    return systems.build("toy", width=16)


def main(workdir: str, *names: str) -> None:
    if "JAX_NUM_PROCESSES" in os.environ:
        join_processes()
    results = {name: measure(workdir, name) for name in names or LAYOUTS}
    if jax.process_index() == 0:
        print(json.dumps(results))


def measure(workdir: str, name: str) -> dict[str, object]:
    sizes, rules = LAYOUTS[name]
    mesh = make_mesh(*sizes, devices=jax.devices()[: int(np.prod(sizes))])
    # Plain SGD: adaptive methods amplify rounding. Its first momentum is the first gradient.
    optimizer = optax.sgd(0.05, momentum=0.9)
    template = abstract_system(build)
    step = make_train_step(template, optimizer, mesh, rules, ema=0.9)
    state = init_state(build, optimizer, mesh, rules, ema=0.9)
    trees = {
        "params": state.params,
        "moments": state.opt_state[0].trace,
        "average": state.ema,
        "gathered": step.gathered(state.params),
    }
    shards = {
        which: tree["first/kernel"].sharding.shard_shape((16, 16)) for which, tree in trees.items()
    }
    # Every layout restores what the first one wrote.
    checkpoints = Checkpoints(f"{workdir}/one", keep=1)
    if not checkpoints.steps:
        checkpoints.save(0, state)
        checkpoints.wait()
    restored = state_checksum(state) == state_checksum(checkpoints.restore(step.abstract))
    checkpoints.close()
    rows, losses, norms, seen = local_rows(BATCH, mesh), [], [], []
    draws = hashlib.sha256()
    draw = jax.jit(
        jax.vmap(lambda n: jax.random.normal(jax.random.fold_in(jax.random.key(1), n), (4,)))
    )
    for number in range(20):
        local = {key: value[rows] for key, value in toy.batch(number, BATCH).items()}
        batch = put_batch(local, mesh)
        seen.append(whole(batch["example"]))
        draws.update(whole(draw(batch["example"])).tobytes())
        state, metrics = step(state, batch)
        losses.append(float(metrics["loss"][0]))
        norms.append(float(metrics["gradient_norm"][0]))
        if number == 0:
            trace = state.opt_state[0].trace
            gradient = flat(trace)
    return {
        "shards": shards,
        "rows": rows.tolist(),
        "losses": losses,
        "norms": norms,
        "gradient": gradient.tolist(),
        "average": flat(state.ema).tolist(),
        "examples": np.concatenate(seen).tolist(),
        "draws": draws.hexdigest(),
        "restored": restored,
        "table": sharding_table(split(template)[1], mesh, rules),
    }


def flat(arrays: dict[str, jax.Array]) -> np.ndarray:
    return np.concatenate([whole(arrays[path]).reshape(-1) for path in sorted(arrays)])


def whole(array: jax.Array) -> np.ndarray:
    return np.asarray(multihost_utils.process_allgather(array, tiled=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
