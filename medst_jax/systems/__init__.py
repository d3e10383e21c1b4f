# SPDX-License-Identifier: Apache-2.0
"""Pre-training systems: one file per method, named after it, one interface for all.

`system.py` is the interface, `registry.py` finds a method by its file, `parts/` holds what several
methods share. May import data, losses and models; training and evaluation know `System` alone.
"""

from typing import TYPE_CHECKING

from medst_jax.on_demand import names_on_demand

if TYPE_CHECKING:
    from medst_jax.systems.registry import available as available
    from medst_jax.systems.registry import build as build
    from medst_jax.systems.registry import system_class as system_class
    from medst_jax.systems.system import Embedding as Embedding
    from medst_jax.systems.system import System as System
    from medst_jax.systems.system import UnsupportedError as UnsupportedError

__getattr__, __dir__, __all__ = names_on_demand(
    __name__,
    {
        "Embedding": "system",
        "System": "system",
        "UnsupportedError": "system",
        "available": "registry",
        "build": "registry",
        "system_class": "registry",
    },
)
