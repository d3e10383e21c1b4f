# SPDX-License-Identifier: Apache-2.0
"""Systems by name: every file of this package registers the systems it defines."""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any, TypeVar

from medst_jax.options import OptionError, parse
from medst_jax.systems.initialise import initialise
from medst_jax.systems.system import System

T = TypeVar("T", bound=type[System])

_SYSTEMS: dict[str, type[Any]] = {}


def register(name: str) -> Callable[[T], T]:
    """Class decorator that makes a system known by `name`.

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


def _discover() -> dict[str, type[Any]]:
    # Importing the package's files runs their decorators, so that a new system is one new file.
    package = importlib.import_module("medst_jax.systems")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return _SYSTEMS


def available() -> tuple[str, ...]:
    """Names of all systems, sorted."""
    return tuple(sorted(_discover()))


def system_class(name: str) -> type[Any]:
    """The class of a system, for example to read its `required_keys` before building it.

    Raises:
      OptionError: no system has that name; lists those there are.
    """
    systems = _discover()
    if name not in systems:
        raise OptionError(
            f"config.system.name is {name!r}; known systems: {', '.join(available())}"
        )
    return systems[name]


def build(name: str, **options: Any) -> System:
    """Build a system from plain option values, randomly initialised from `seed`.

    Raises:
      OptionError: an unknown system, or an unknown, missing or mistyped option.
    """
    cls = system_class(name)
    parsed = parse(cls.Options, options, "config.system")
    return initialise(lambda: cls(parsed))
