# SPDX-License-Identifier: Apache-2.0
"""Systems by name. Adding one means one entry here and one file beside this."""

from typing import Any

from medst_jax.options import OptionError, parse
from medst_jax.systems.clip import Clip
from medst_jax.systems.dlilp import Dlilp
from medst_jax.systems.system import System
from medst_jax.systems.unicl import UniCL
from medst_jax.systems.unimodal import Unimodal

SYSTEMS: dict[str, type[Any]] = {
    "clip": Clip,
    "unicl": UniCL,
    "unimodal": Unimodal,
    "dlilp": Dlilp,
}


def available() -> tuple[str, ...]:
    """Names of all systems."""
    return tuple(SYSTEMS)


def system_class(name: str) -> type[Any]:
    """The class of a system, for example to read its `required_keys` before building it.

    Raises:
      OptionError: no system has that name; lists those there are.
    """
    if name not in SYSTEMS:
        raise OptionError(f"config.system.name is {name!r}; known systems: {', '.join(SYSTEMS)}")
    return SYSTEMS[name]


def build(name: str, **options: Any) -> System:
    """Build a system from plain option values, randomly initialised from `seed`.

    Raises:
      OptionError: an unknown system, or an unknown, missing or mistyped option.
    """
    cls = system_class(name)
    return cls(parse(cls.Options, options, "config.system"))
