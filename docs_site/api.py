# SPDX-License-Identifier: Apache-2.0
"""Public names of a room, with their signatures and docstrings, as a page."""

import importlib
import inspect
import pkgutil
import types
from typing import Any

# The rooms whose names other code may call.
ROOMS = ("losses", "models", "systems", "text", "parallel")


def page(room: str) -> str:
    """The page of `medst_jax.<room>`: what its package exports, then each of its files.

    Raises:
      ValueError: the room has no public name.
    """
    package = importlib.import_module(f"medst_jax.{room}")
    lines = [f"# medst_jax.{room}", "", inspect.getdoc(package) or "", ""]
    exported = {id(getattr(package, name)): name for name in getattr(package, "__all__", ())}
    found = 0
    for module in _modules(package):
        names = _public(module)
        if not names:
            continue
        found += len(names)
        lines += [f"## {module.__name__}", "", _text(module), ""]
        for name, value in names.items():
            also = f" (also `medst_jax.{room}.{name}`)" if id(value) in exported else ""
            lines += [f"### {name}", "", f"`{_signature(name, value)}`{also}", "", _text(value), ""]
    if not found:
        raise ValueError(f"medst_jax.{room} has no public name")
    return "\n".join(lines)


def _modules(package: types.ModuleType) -> list[types.ModuleType]:
    found = pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    names = [module.name for module in found if "._" not in module.name]
    return [importlib.import_module(name) for name in sorted(names)]


def _public(module: types.ModuleType) -> dict[str, Any]:
    """Functions and classes that a file itself defines, in the order in which it does."""
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module.__name__
    }


def _signature(name: str, value: Any) -> str:
    """Name and parameters, without the types, which the docstring states with their shapes."""
    try:
        parameters = inspect.signature(value).parameters.values()
    except ValueError:  # built in
        return name
    shown = []
    for one in parameters:
        star = {one.VAR_POSITIONAL: "*", one.VAR_KEYWORD: "**"}.get(one.kind, "")
        default = "" if one.default is one.empty else f"={_short(one.default)}"
        shown.append(f"{star}{one.name}{default}")
    return f"{name}({', '.join(shown)})"


def _short(default: Any) -> str:
    plain = isinstance(default, (bool, int, float, str, tuple, type(None)))
    return repr(default) if plain else "..."


def _text(value: Any) -> str:
    """A docstring as it is written: its lists are read by their columns."""
    text = (value.__doc__ and inspect.getdoc(value)) or ""
    return f"```text\n{text}\n```" if text else ""
