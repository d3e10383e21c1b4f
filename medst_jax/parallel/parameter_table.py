# SPDX-License-Identifier: Apache-2.0
"""How every parameter is cut, as a table to read."""

from flax import nnx
from jax.sharding import Mesh

from medst_jax.parallel.rules import Rules
from medst_jax.parallel.sharding import param_shardings, variables_by_path
from medst_jax.parallel.state_sharding import state_shardings


def sharding_table(params: nnx.State, mesh: Mesh, rules: str | Rules) -> str:
    """One line per parameter: path, shape, logical axes, partition of each dimension.

    A second partition, where there is one, says how the parameter is kept between steps.
    """
    used, kept = (cut(params, mesh, rules) for cut in (param_shardings, state_shardings))
    rows = [
        (
            path,
            str(tuple(variable.get_value().shape)),
            str(variable.get_metadata()["axes"]),
            str(used[path].spec),
            f"kept as {kept[path].spec}" if kept[path] != used[path] else "",
        )
        for path, variable in variables_by_path(params).items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
