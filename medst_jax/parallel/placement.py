# SPDX-License-Identifier: Apache-2.0
"""How activations lie on the devices: models name dimensions, whoever runs them decides.

Parameters that are cut along "embed" would otherwise pull the activations inside a scanned layer
into the same cut, with the batch gathered on every device.
"""

import contextlib
import contextvars
import dataclasses
from collections.abc import Callable, Iterator, Sequence

import jax


@dataclasses.dataclass(frozen=True)
class Placement:
    """What a mesh and its rules mean for activations.

    Attributes:
      constrain: pins an array's sharding by one logical name per dimension.
      gather: the same for a parameter where it is used: whole but for what is cut inside layers.
      batch_shards: gives the number of parts into which the batch is cut.
      platform: of the devices, as JAX names it; empty where nothing says.
    """

    constrain: Callable[[jax.Array, Sequence[str | None]], jax.Array]
    gather: Callable[[jax.Array, Sequence[str | None]], jax.Array]
    batch_shards: Callable[[], int]
    platform: str = ""

    @property
    def places(self) -> bool:
        """Whether there is a mesh to place on; not of a model on its own."""
        return self.constrain is not UNPLACED.constrain


# Of a model on its own: evaluation, exports, tests.
UNPLACED = Placement(lambda x, names: x, lambda x, names: x, lambda: 1)
_current: contextvars.ContextVar[Placement | None] = contextvars.ContextVar(
    "placement", default=None
)


def current_placement() -> Placement:
    """The placement of the step being traced; on its own, a model places nothing."""
    return _current.get() or UNPLACED


@contextlib.contextmanager
def use_placement(placement: Placement) -> Iterator[None]:
    """Make `placement` the one that models read while they are traced."""
    token = _current.set(placement)
    try:
        yield
    finally:
        _current.reset(token)


def by_example(x: jax.Array) -> jax.Array:
    """Pin an array [B, ...]: cut over the batch and nothing else."""
    return current_placement().constrain(x, ("batch", *(None,) * (x.ndim - 1)))
