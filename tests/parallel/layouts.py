# SPDX-License-Identifier: Apache-2.0
"""A program: first step and twenty SGD steps of the toy system on several meshes, as JSON.

Run with XLA_FLAGS=--xla_force_host_platform_device_count=8; the number of devices is fixed when
the process starts, so the tests cannot do this themselves.
"""

import json
import pathlib
import sys

import jax
import numpy as np
import optax

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "train"))

import toy

from medst_jax import systems
from medst_jax.parallel import make_mesh, put_batch, sharding_table
from medst_jax.train.checkpoint import Checkpoints
from medst_jax.train.state import abstract_system, init_state, split
from medst_jax.train.step import make_train_step
from medst_jax.train.summary import state_checksum

LAYOUTS = {
    "one": ((1, 1, 1), "dp"),
    "data": ((8, 1, 1), "dp"),
    "fsdp": ((2, 4, 1), "fsdp"),
    "tensor": ((2, 2, 2), "fsdp_tp"),
}


def build() -> systems.System:
    return systems.build("toy", width=16)


def main(workdir: str) -> None:
    results = {}
    for name, (sizes, rules) in LAYOUTS.items():
        mesh = make_mesh(*sizes, devices=jax.devices()[: int(np.prod(sizes))])
        # Plain SGD: adaptive methods amplify rounding.
        optimizer = optax.sgd(0.05, momentum=0.9)
        template = abstract_system(build)
        step = make_train_step(template, optimizer, mesh, rules)
        state = init_state(build, optimizer, mesh, rules)
        shards = {
            "params": state.params["first/kernel"].sharding.shard_shape((16, 16)),
            "moments": state.opt_state[0].trace["first/kernel"].sharding.shard_shape((16, 16)),
        }
        saved = f"{workdir}/{name}"
        checkpoints = Checkpoints(saved, keep=1)
        checkpoints.save(0, state)
        checkpoints.wait()
        # Every layout restores what the first one wrote.
        first = Checkpoints(f"{workdir}/one", keep=1)
        restored = first.restore(step.abstract)
        matches = [state_checksum(state) == state_checksum(restored)]
        losses, norms = [], []
        for number in range(20):
            state, metrics = step(state, put_batch(toy.batch(number, 16), mesh))
            losses.append(float(metrics["loss"][0]))
            norms.append(float(metrics["gradient_norm"][0]))
        table = sharding_table(split(template)[1], mesh, rules)
        results[name] = {
            "shards": shards,
            "losses": losses,
            "norms": norms,
            "restored": all(matches),
            "table": table,
        }
        first.close()
        checkpoints.close()
    print(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1])
