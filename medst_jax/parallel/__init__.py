# SPDX-License-Identifier: Apache-2.0
"""Mesh, sharding rules and the placement of parameters and batches."""

from medst_jax.parallel.mesh import (
    AXES,
    BATCH_AXES,
    MeshError,
    batch_shards,
    check_batch_size,
    check_sequences,
    make_mesh,
)
from medst_jax.parallel.processes import (
    all_well,
    join_processes,
    local_rows,
    local_shards,
    wait_for_all,
)
from medst_jax.parallel.rules import RULES, Rules, constrain, get_rules, use_rules
from medst_jax.parallel.sharding import (
    batch_sharding,
    param_shardings,
    put_batch,
    replicated,
    variables_by_path,
)
from medst_jax.parallel.sharding_table import sharding_table
from medst_jax.parallel.state_sharding import state_shardings

__all__ = [
    "AXES",
    "BATCH_AXES",
    "RULES",
    "MeshError",
    "Rules",
    "all_well",
    "batch_sharding",
    "batch_shards",
    "check_batch_size",
    "check_sequences",
    "constrain",
    "get_rules",
    "join_processes",
    "local_rows",
    "local_shards",
    "make_mesh",
    "param_shardings",
    "put_batch",
    "replicated",
    "sharding_table",
    "state_shardings",
    "use_rules",
    "variables_by_path",
    "wait_for_all",
]
