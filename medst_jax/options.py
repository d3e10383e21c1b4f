# SPDX-License-Identifier: Apache-2.0
"""Configuration values to frozen dataclasses: unknown, missing and mistyped keys are errors."""

import dataclasses
import difflib
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")
BEFORE, OPTIONS_OF = "before", "options_of"  # keys of a field's metadata


class OptionError(ValueError):
    """A configuration key that is unknown, missing or of the wrong type."""


def before(value: Any) -> dict[str, Any]:
    """Metadata of a field that earlier records lack; see `added_options`.

    Args:
      value: plain value that reproduces a run whose record lacks the key.
    """
    return {BEFORE: value}


def options_of(choose: Callable[[Mapping[str, Any]], Any] | str) -> dict[str, Any]:
    """Metadata of a field whose mapping holds options of a class that depends on its values.

    Args:
      choose: gives, for the mapping, the options of which it replaces some: an instance, or a
        class whose defaults they are; None where the values choose nothing. "module:function" is
        one that is read when it is asked, of a file that itself reads the field's.
    """
    return {OPTIONS_OF: choose}


def parse(cls: type[T], values: Mapping[str, Any], where: str) -> T:
    """Build the frozen dataclass `cls` from a mapping such as an `ml_collections.ConfigDict`.

    Args:
      cls: a dataclass; fields may be scalars, `X | None`, `tuple[X, ...]`, `dict[str, X]` or
        dataclasses.
      values: the configuration section.
      where: dotted name of the section, used in messages, for example "config.train".

    Raises:
      OptionError: names the dotted key, its value and the closest known key.
    """
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}  # type: ignore[arg-type]
    for key in values:
        if key not in fields:
            close = difflib.get_close_matches(str(key), fields, n=1)
            hint = (
                f"; did you mean {where}.{close[0]}?" if close else f"; known: {', '.join(fields)}"
            )
            raise OptionError(f"{where}.{key} is not an option{hint}")
    parsed: dict[str, Any] = {}
    for name, field in fields.items():
        if name in values:
            parsed[name] = _convert(hints[name], values[name], f"{where}.{name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise OptionError(f"{where}.{name} is required and has no value")
    return cls(**parsed)


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _first_match(arguments, value, where)
    if origin is typing.Literal:
        if value not in arguments:
            raise OptionError(f"{where} is {value!r}; it must be one of {list(arguments)}")
        return value
    if origin is tuple:
        if isinstance(value, str) or not isinstance(value, (tuple, list)):
            raise OptionError(f"{where} is {value!r}; it must be a tuple or list")
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_convert(arguments[0], v, f"{where}[{i}]") for i, v in enumerate(value))
        if len(arguments) != len(value):
            raise OptionError(f"{where} has {len(value)} values; it needs {len(arguments)}")
        return tuple(
            _convert(a, v, f"{where}[{i}]")
            for i, (a, v) in enumerate(zip(arguments, value, strict=True))
        )
    if origin is dict:
        return {str(k): _convert(arguments[1], v, f"{where}.{k}") for k, v in _items(value, where)}
    if dataclasses.is_dataclass(hint):
        if isinstance(value, hint):  # type: ignore[arg-type]
            return value
        return parse(hint, dict(_items(value, where)), where)  # type: ignore[arg-type]
    return _scalar(hint, value, where)


def _first_match(arguments: tuple[Any, ...], value: Any, where: str) -> Any:
    failures = []
    for argument in arguments:
        if argument is type(None):
            continue
        try:
            return _convert(argument, value, where)
        except OptionError as error:
            failures.append(error)
    raise failures[0]


def _items(value: Any, where: str) -> Any:
    if not hasattr(value, "items"):
        raise OptionError(f"{where} is {value!r}; it must be a mapping")
    return value.items()


def _scalar(hint: Any, value: Any, where: str) -> Any:
    if hint is Any:
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise OptionError(f"{where} is {value!r}; it must be a {hint.__name__}")
    return value
