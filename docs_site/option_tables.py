# SPDX-License-Identifier: Apache-2.0
"""A dataclass of options as a table: each field with its type, its default and its meaning."""

import dataclasses
import inspect
import re
import types
import typing
from typing import Any

_FIELD = re.compile(r"^ *(\w+(?:, \w+)*): (.*)$")


def meanings(cls: type) -> dict[str, str]:
    """What the docstrings of `cls` and its bases say of their fields, by name, on one line each."""
    found: dict[str, str] = {}
    for one in reversed(cls.__mro__):
        if dataclasses.is_dataclass(one):
            fields = {field.name for field in dataclasses.fields(one)}
            found |= _described(inspect.cleandoc(one.__doc__ or ""), fields)
    return found


def _described(docstring: str, fields: set[str]) -> dict[str, str]:
    """The lines "name: meaning" or "name, name: meaning" of a docstring, with what they go on with."""
    found: dict[str, str] = {}
    names: list[str] = []
    for line in docstring.splitlines():
        start = _FIELD.match(line)
        if start and fields.issuperset(start[1].split(", ")):
            names = start[1].split(", ")
            found |= dict.fromkeys(names, start[2])
        elif not line.startswith(" "):
            names = []  # a paragraph or the next section
        else:
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
    return found


def nested(hint: Any) -> list[type]:
    """Dataclasses within a type, such as the `PartOptions` of dict[str, PartOptions]."""
    if inspect.isclass(hint) and dataclasses.is_dataclass(hint):
        return [hint]
    return [one for argument in typing.get_args(hint) for one in nested(argument)]


def table(cls: type) -> list[str]:
    """Lines of a Markdown table of the fields; a required one has no default."""
    said, hints = meanings(cls), typing.get_type_hints(cls)
    lines = ["| option | type | default | meaning |", "|---|---|---|---|"]
    for field in dataclasses.fields(cls):
        if field.init:
            cells = (
                f"`{field.name}`",
                f"`{type_name(hints[field.name])}`",
                default(field),
                said.get(field.name, ""),
            )
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return lines


def type_name(hint: Any) -> str:
    """A type as one writes it, without the modules; choices are their values."""
    if hint is Ellipsis:
        return "..."
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_name(one) for one in arguments)
    if origin is typing.Literal:
        return " or ".join(repr(one) for one in arguments)
    if arguments:
        return f"{origin.__name__}[{', '.join(type_name(one) for one in arguments)}]"
    return {type(None): "None"}.get(hint) or getattr(hint, "__name__", str(hint))


def default(field: dataclasses.Field) -> str:
    """The default as code, "required" where there is none."""
    if field.default is not dataclasses.MISSING:
        value = field.default
    elif field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    else:
        return "required"
    if dataclasses.is_dataclass(value):
        changed = [
            f"{f.name}={getattr(value, f.name)!r}"
            for f in dataclasses.fields(value)
            if f.default != getattr(value, f.name)
            and (
                f.default_factory is dataclasses.MISSING
                or f.default_factory() != getattr(value, f.name)
            )
        ]
        return f"`{type(value).__name__}({', '.join(changed)})`"
    return f"`{value!r}`"


def tables(classes: list[type], level: str = "##") -> list[str]:
    """Tables of the classes and of all that are nested in them, each once, under their names."""
    lines: list[str] = []
    waiting, done = list(classes), set()
    while waiting:
        cls = waiting.pop(0)
        if cls in done:
            continue
        done.add(cls)
        summary = inspect.cleandoc(cls.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
        lines += [f"{level} {cls.__name__}", "", summary, "", *table(cls), ""]
        waiting += [one for hint in typing.get_type_hints(cls).values() for one in nested(hint)]
    return lines
