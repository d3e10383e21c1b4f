# SPDX-License-Identifier: Apache-2.0
"""The train step: one pure function, used alike by training, planner, benchmarks and tests."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, NamedSharding

from medst_jax.parallel.rules import Rules, get_rules, use_rules
from medst_jax.parallel.sharding import (
    batch_sharding,
    param_shardings,
    replicated,
    variables_by_path,
)
from medst_jax.systems.system import System
from medst_jax.train.micro_batches import gradients_in_one_pass, gradients_in_two_passes
from medst_jax.train.state import (
    Arrays,
    Skeleton,
    TrainState,
    abstract_state,
    arrays,
    skeleton,
    split,
)

Metrics = dict[str, tuple[jax.Array, jax.Array]]


@dataclasses.dataclass(frozen=True)
class TrainStep:
    """A jitted step; calling it donates the state it is given.

    Attributes:
      jitted: the function under jit, with the shardings of state and batch fixed.
      mesh: the mesh it runs on.
      rules: the table activations are constrained by.
      abstract: shapes and shardings of its state.
      compute_shardings: of the parameters while the model computes, by path.
    """

    jitted: Any
    mesh: Mesh
    rules: Rules
    abstract: TrainState
    compute_shardings: Mapping[str, NamedSharding]

    @property
    def platform(self) -> str:
        """Of the devices, real or described ones."""
        return str(self.mesh.devices.flat[0].platform)

    def __call__(self, state: TrainState, batch: Mapping[str, Any]) -> tuple[TrainState, Metrics]:
        """One update. Metrics are (sum, count) pairs of float32 scalars."""
        with jax.set_mesh(self.mesh), use_rules(self.rules, self.platform):
            return self.jitted(state, dict(batch))

    def lower(self, batch: Mapping[str, jax.ShapeDtypeStruct]) -> Any:
        """Lower for the mesh's devices without running: `.lower(input.spec).compile()`."""
        with jax.set_mesh(self.mesh), use_rules(self.rules, self.platform):
            return self.jitted.lower(self.abstract, dict(batch))

    def gathered(self, params: Arrays) -> Arrays:
        """A state's parameters as the model computes with them; collective."""
        return {
            path: jax.device_put(value, self.compute_shardings[path])
            for path, value in params.items()
        }


def make_train_step(
    system: System,
    optimizer: optax.GradientTransformation,
    mesh: Mesh,
    rules: str | Rules,
    *,
    seed: int = 0,
    ema: float = 0.0,
    schedule: optax.Schedule | None = None,
    micro_batches: int = 1,
) -> TrainStep:
    """Build the step for a system.

    Randomness of an example is folded from `seed` and its position in the stream
    (`batch["example"]`) inside the system, so the step passes one constant key.

    When the loss or the gradient's norm is not finite, the whole state is kept as it was, the
    step counter included (it counts updates), and the metric `finite` is 0: the caller decides
    to stop. After an update the system's `constrain_parameters()` is called where it has one.

    Args:
      system: abstract or concrete; only its structure is used.
      optimizer: of parameters held as a dict by path; any optax transformation.
      mesh: the mesh.
      rules: a table or the name of one.
      seed: of augmentation, dropout and other randomness of an example.
      ema: decay of the moving average in the state; 0 for none.
      schedule: reported as the metric `learning_rate`.
      micro_batches: into how many parts the batch is cut for `encode`; the gradient is that of
        the whole batch.
    """
    parts, table = skeleton(system), get_rules(rules)
    target = abstract_state(system, optimizer, mesh, table, ema=ema)
    shardings = jax.tree.map(lambda leaf: leaf.sharding, target)
    variables = split(system)[1]
    # Parameters lie one way while the model computes, another between steps.
    computed, stored = param_shardings(variables, mesh, table), shardings.params
    # Those of a stack are summed layer by layer already; that of a vocabulary's table, cut along its
    # width, is exchanged as the few rows of the batch's tokens.
    summed = {
        path: computed[path]
        for path, variable in variables_by_path(variables).items()
        if computed[path] != stored[path]
        and not {"layers", "vocab"} & set(variable.get_metadata()["axes"])
    }
    differentiate = (
        functools.partial(gradients_in_two_passes, count=micro_batches)
        if micro_batches > 1
        else gradients_in_one_pass
    )

    def step(state: TrainState, batch: dict[str, jax.Array]) -> tuple[TrainState, Metrics]:
        key = jax.random.key(seed)
        # Gathered once, before loops over layers and micro-batches.
        params = _reshard(state.params, stored, computed)
        loss, metrics, model_state, gradients = differentiate(
            parts, params, state.model_state, batch, key
        )
        # From here on each device works on the part that it stores. Gradients are summed before they are cut:
        # the cut would else reach into the products and convolutions that make them.
        gradients = _reshard(_pin(gradients, summed), computed, stored)
        gradient_norm = optax.tree.norm(gradients)
        finite = jnp.isfinite(loss) & jnp.isfinite(gradient_norm)
        updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        params = _constrain_parameters(
            parts, optax.apply_updates(state.params, updates), model_state
        )
        updated = TrainState(
            step=state.step + 1,
            params=params,
            model_state=model_state,
            opt_state=opt_state,
            ema=None if state.ema is None else optax.incremental_update(params, state.ema, 1 - ema),
        )
        norms = {
            "gradient_norm": gradient_norm,
            # Before the update: the norm of the new ones would make them a second time.
            "parameter_norm": optax.tree.norm(state.params),
            "update_norm": optax.tree.norm(updates),
            "finite": finite,
        }
        if schedule is not None:
            norms["learning_rate"] = schedule(state.step)
        pairs = {"loss": (loss, 1.0), **metrics, **{name: (v, 1.0) for name, v in norms.items()}}
        chosen = jax.tree.map(lambda new, old: jnp.where(finite, new, old), updated, state)
        return chosen, jax.tree.map(lambda value: jnp.asarray(value, jnp.float32), pairs)

    jitted = jax.jit(
        step,
        in_shardings=(shardings, batch_sharding(mesh)),
        out_shardings=(shardings, replicated(mesh)),
        donate_argnums=0,
    )
    return TrainStep(jitted, mesh, table, target, computed)


def _reshard(
    values: Arrays, source: Mapping[str, NamedSharding], target: Mapping[str, NamedSharding]
) -> Arrays:
    """Pin the arrays whose place changes."""
    return _pin(values, {path: target[path] for path in values if source[path] != target[path]})


def _pin(values: Arrays, shardings: Mapping[str, NamedSharding]) -> Arrays:
    return {
        path: jax.lax.with_sharding_constraint(value, shardings[path])
        if path in shardings
        else value
        for path, value in values.items()
    }


def _constrain_parameters(parts: Skeleton, params: Any, model_state: Any) -> Any:
    module = parts.system(params, model_state)
    module.constrain_parameters()
    return arrays(module)[0]
