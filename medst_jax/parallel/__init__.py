# SPDX-License-Identifier: Apache-2.0
"""Mesh, sharding rules and the placement of parameters and batches.

Imports no other room; every other room that knows devices imports it.
"""

from typing import TYPE_CHECKING

from medst_jax.on_demand import names_on_demand

if TYPE_CHECKING:
    from medst_jax.parallel.mesh import AXES as AXES
    from medst_jax.parallel.mesh import BATCH_AXES as BATCH_AXES
    from medst_jax.parallel.mesh import MeshError as MeshError
    from medst_jax.parallel.mesh import batch_shards as batch_shards
    from medst_jax.parallel.mesh import check_batch_size as check_batch_size
    from medst_jax.parallel.mesh import check_sequences as check_sequences
    from medst_jax.parallel.mesh import make_mesh as make_mesh
    from medst_jax.parallel.processes import barrier as barrier
    from medst_jax.parallel.processes import check_all_processes as check_all_processes
    from medst_jax.parallel.processes import join_processes as join_processes
    from medst_jax.parallel.processes import local_rows as local_rows
    from medst_jax.parallel.processes import local_shards as local_shards
    from medst_jax.parallel.rules import RULES as RULES
    from medst_jax.parallel.rules import Rules as Rules
    from medst_jax.parallel.rules import constrain as constrain
    from medst_jax.parallel.rules import get_rules as get_rules
    from medst_jax.parallel.rules import use_rules as use_rules
    from medst_jax.parallel.sharding import batch_sharding as batch_sharding
    from medst_jax.parallel.sharding import param_shardings as param_shardings
    from medst_jax.parallel.sharding import put_batch as put_batch
    from medst_jax.parallel.sharding import replicated as replicated
    from medst_jax.parallel.sharding import variables_by_path as variables_by_path
    from medst_jax.parallel.state_sharding import sharding_table as sharding_table
    from medst_jax.parallel.state_sharding import state_shardings as state_shardings

__getattr__, __dir__, __all__ = names_on_demand(
    __name__,
    {
        "AXES": "mesh",
        "BATCH_AXES": "mesh",
        "MeshError": "mesh",
        "RULES": "rules",
        "Rules": "rules",
        "barrier": "processes",
        "batch_sharding": "sharding",
        "batch_shards": "mesh",
        "check_all_processes": "processes",
        "check_batch_size": "mesh",
        "check_sequences": "mesh",
        "constrain": "rules",
        "get_rules": "rules",
        "join_processes": "processes",
        "local_rows": "processes",
        "local_shards": "processes",
        "make_mesh": "mesh",
        "param_shardings": "sharding",
        "put_batch": "sharding",
        "replicated": "sharding",
        "sharding_table": "state_sharding",
        "state_shardings": "state_sharding",
        "use_rules": "rules",
        "variables_by_path": "sharding",
    },
)
