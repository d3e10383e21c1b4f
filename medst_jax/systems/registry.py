# SPDX-License-Identifier: Apache-2.0
"""Systems by name: the file of this folder that is named after a system defines it.

A system is initialised by one program, compiled for speed of compiling.
"""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.options import OptionError, parse
from medst_jax.systems.system import System

T = TypeVar("T", bound=type[System])
M = TypeVar("M", bound=nnx.Module)

_PACKAGE = "medst_jax.systems"
_NOT_SYSTEMS = ("parts", "registry", "system")
_SYSTEMS: dict[str, type[Any]] = {}


def register(name: str) -> Callable[[T], T]:
    """Class decorator that makes a class the system of the file `name`.

    The class has an `Options` attribute, a frozen dataclass of plain values, and takes one
    instance of it.

    Raises:
      ValueError: two classes claim one name.
    """

    def add(cls: T) -> T:
        if name in _SYSTEMS and _SYSTEMS[name].__qualname__ != cls.__qualname__:
            raise ValueError(f"system {name!r} is defined twice: {_SYSTEMS[name]} and {cls}")
        _SYSTEMS[name] = cls
        return cls

    return add


def available() -> tuple[str, ...]:
    """Names of all systems, sorted; lists files, imports none."""
    modules = pkgutil.iter_modules(importlib.import_module(_PACKAGE).__path__)
    return tuple(sorted(module.name for module in modules if module.name not in _NOT_SYSTEMS))


def system_class(name: str) -> type[Any]:
    """The class of a system, for example to read its `required_keys` before building it.

    Raises:
      OptionError: no system has that name; lists those there are.
    """
    if name not in _SYSTEMS:  # one that a user registered has no file here
        if name not in available():
            raise OptionError(
                f"config.system.name is {name!r}; known systems: {', '.join(available())}"
            )
        importlib.import_module(f"{_PACKAGE}.{name}")
    return _SYSTEMS[name]


def build(name: str, **options: Any) -> System:
    """Build a system from plain option values, randomly initialised from `seed`.

    Args:
      name: one of `available()`.
      **options: fields of the system's `Options`, plain JSON values: sections such as `image` and
        `preprocess` are dicts.

    Raises:
      OptionError: an unknown system, or an unknown, missing or mistyped option.
    """
    cls = system_class(name)
    parsed = parse(cls.Options, options, "config.system")
    return initialise(lambda: cls(parsed))


def compiler_options() -> dict[str, int] | None:
    """Options for a program that runs once: on CPUs, LLVM's optimiser costs more than it saves."""
    return {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None


def initialise(make: Callable[[], M]) -> M:
    """`make()`, its random draws in one program; under an outer trace they join that program."""
    if isinstance(jnp.zeros(()), jax.core.Tracer):
        return make()
    graphdef = nnx.split(nnx.eval_shape(make))[0]
    arrays = jax.jit(lambda: nnx.split(make())[1], compiler_options=compiler_options())()
    return nnx.merge(graphdef, arrays)
