# SPDX-License-Identifier: Apache-2.0
"""The training state: one pytree of arrays keyed by parameter path, and its placement.

Systems are taken apart into a static skeleton and two flat dictionaries, so that optimizer
state, checkpoints and error messages all speak of the same paths.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax.sharding import Mesh, NamedSharding

from medst_jax.parallel.rules import Rules
from medst_jax.parallel.sharding import replicated, variables_by_path
from medst_jax.parallel.state_sharding import state_shardings
from medst_jax.systems.registry import compiler_options
from medst_jax.systems.system import System

Arrays = dict[str, jax.Array]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """Everything a step reads and writes.

    Attributes:
      step: int32 scalar, updates applied so far.
      params: trainable arrays by path.
      model_state: all other variables by path (batch statistics, averages, queues).
      opt_state: of the optimizer.
      ema: moving average of `params`, or None.
    """

    step: jax.Array
    params: Arrays
    model_state: Arrays
    opt_state: Any
    ema: Arrays | None


@dataclasses.dataclass(frozen=True)
class Skeleton:
    """What a system is without its arrays; rebuilds the system from them."""

    graphdef: nnx.GraphDef
    param_paths: tuple[tuple[Any, ...], ...]
    state_paths: tuple[tuple[Any, ...], ...]

    def system(self, params: Mapping[str, Any], model_state: Mapping[str, Any]) -> System:
        """A fresh system of these arrays, sharing no variable with any other."""
        return nnx.merge(
            self.graphdef,
            _unflatten(self.param_paths, params),
            _unflatten(self.state_paths, model_state),
            copy=True,
        )


def split(system: System) -> tuple[nnx.GraphDef, nnx.State, nnx.State]:
    """Structure, parameters, and all other variables of a system."""
    parts: Any = nnx.split(system, nnx.Param, ...)
    return parts


def skeleton(system: System) -> Skeleton:
    """The static part of a system, abstract or concrete."""
    graphdef, params, rest = split(system)
    return Skeleton(
        graphdef,
        tuple(path for path, _ in nnx.to_flat_state(params)),
        tuple(path for path, _ in nnx.to_flat_state(rest)),
    )


def arrays(system: System) -> tuple[Arrays, Arrays]:
    """Parameters and model state of a system, by path."""
    _, params, rest = split(system)
    return _values(params), _values(rest)


def abstract_system(build: Callable[[], System]) -> System:
    """The system `build` makes, with shapes in place of arrays: nothing is allocated."""
    return nnx.eval_shape(build)


def abstract_state(
    system: System,
    optimizer: optax.GradientTransformation,
    mesh: Mesh,
    rules: str | Rules,
    *,
    ema: float = 0.0,
) -> TrainState:
    """Shapes, dtypes and shardings of the state; what a restore or an ahead-of-time compile needs.

    Parameters lie where they are kept and updated, moments and the average with them; scalars,
    counters and the model state are replicated.
    """
    shapes = jax.eval_shape(lambda: _fresh(*_shapes_to_zeros(system), optimizer, ema))
    by_path = state_shardings(split(system)[1], mesh, rules)
    everywhere, params = replicated(mesh), shapes.params

    def place(path: tuple[Any, ...], leaf: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
        # Moments and the average are dicts by parameter path, wherever optax nests them; factored
        # moments of another shape are small.
        name = str(getattr(path[-1], "key", ""))
        like = name in params and params[name].shape == leaf.shape
        sharding: NamedSharding = by_path[name] if like else everywhere
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)

    return jax.tree_util.tree_map_with_path(place, shapes)


def init_state(
    build: Callable[[], System],
    optimizer: optax.GradientTransformation,
    mesh: Mesh,
    rules: str | Rules,
    *,
    ema: float = 0.0,
) -> TrainState:
    """The state before the first step, built under jit straight into its shards.

    Args:
      build: makes the system; called under jit, so that no full copy exists anywhere.
      optimizer: of parameters by path.
      mesh: the mesh.
      rules: a table or the name of one.
      ema: a positive decay makes the state hold a moving average.
    """
    target = abstract_state(abstract_system(build), optimizer, mesh, rules, ema=ema)
    shardings = jax.tree.map(lambda leaf: leaf.sharding, target)
    with jax.set_mesh(mesh):
        make = jax.jit(
            lambda: _fresh(*arrays(build()), optimizer, ema),
            out_shardings=shardings,
            compiler_options=compiler_options(),
        )
        return make()


def _fresh(
    params: Arrays, model_state: Arrays, optimizer: optax.GradientTransformation, ema: float
) -> TrainState:
    average = jax.tree.map(jnp.copy, params) if ema > 0 else None
    return TrainState(
        jnp.zeros((), jnp.int32), params, model_state, optimizer.init(params), average
    )


def _shapes_to_zeros(system: System) -> tuple[Arrays, Arrays]:
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), arrays(system))


def _values(state: nnx.State) -> Arrays:
    return {path: variable.get_value() for path, variable in variables_by_path(state).items()}


def _unflatten(paths: tuple[tuple[Any, ...], ...], values: Mapping[str, Any]) -> nnx.State:
    return nnx.from_flat_state([(path, values["/".join(map(str, path))]) for path in paths])
