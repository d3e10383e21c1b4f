# SPDX-License-Identifier: Apache-2.0
"""Options that were added after runs had been written: what a run without such a key did.

A dataclass of options declares them with `options.before`:

    decode: Literal["full", "scaled"] = dataclasses.field(default="scaled", metadata=before("full"))

New runs take "scaled" and record it. A recorded run without the key read images as "full" does, and
goes on so. The two values are often the same.

The functions work on plain values, as a record or a configuration holds them. They follow the
fields of the options class into nested options, mappings of options, and mappings whose class
depends on their own values (`options.options_of`). Keys that are no options stay as they are: parsing names them.
"""

import dataclasses
import json
import pkgutil
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from medst_jax.options import BEFORE, OPTIONS_OF

_ABSENT: Any = object()

# (given value, value of before, default, whether the record has the key) -> value, or _ABSENT.
_Rule = Callable[[Any, Any, Any, bool], Any]


def fill_recorded(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """What a record stands for: added options that it lacks take the value of before."""
    return _walk(cls, values, lambda given, old, *_: old if given is _ABSENT else given)


def fill_current(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration in which all added options stand, those that it lacks with their default."""
    return _walk(cls, values, lambda given, _, default, __: default if given is _ABSENT else given)


def adopt(cls: type, values: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with which a recorded run goes on.

    Configurations often list every option, so a value that is the default was probably not asked
    for. Where the record lacks the key, the value of before takes the place of such a default; any
    other value stays, and is then refused where it differs.
    """

    def rule(given: Any, old: Any, default: Any, recorded: bool) -> Any:
        return old if not recorded and given == default else given

    return _walk(cls, fill_current(cls, values), rule, record=record)


def like_record(cls: type, values: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """`values` without the added options that a record lacks, so that it goes on lacking them."""

    def rule(given: Any, old: Any, default: Any, recorded: bool) -> Any:
        return given if recorded else _ABSENT

    return _walk(cls, values, rule, record=record)


def without_before(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` without added options at the value of before: for digests that must not change."""
    return _walk(cls, values, lambda given, old, *_: _ABSENT if given == old else given)


def _walk(
    cls: type,
    values: Mapping[str, Any],
    rule: _Rule,
    defaults: Any = None,
    record: Any = None,
) -> dict[str, Any]:
    """Apply a rule to every added option of a class, at any depth.

    Args:
      cls: dataclass of the options.
      values: plain values, some or all of its fields.
      rule: gives the value of an added option.
      defaults: instance whose values the missing fields take; None for the class's own.
      record: plain values of another run, at the same place.
    """
    result: dict[str, Any] = _plain(values)
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        name, default = field.name, _default(field, defaults)
        recorded = isinstance(record, Mapping) and name in record
        inner = record[name] if recorded else None
        given = result.get(name, _ABSENT)
        if BEFORE in field.metadata:
            old = _plain(field.metadata[BEFORE])
            given = rule(given, old, _plain(default), recorded)
        if given is not _ABSENT:
            result[name] = _descend(hints[name], field, given, rule, inner)
            continue
        result.pop(name, None)
        # A section that is missing as a whole: all of it, if the rule gives it an option.
        bare = _without_added(default)
        walked = _descend(hints[name], field, bare, rule, inner, default)
        if walked != bare and BEFORE not in field.metadata:
            result[name] = walked
    return result


def _descend(
    hint: Any,
    field: "dataclasses.Field[Any] | None",
    value: Any,
    rule: _Rule,
    record: Any,
    defaults: Any = None,
) -> Any:
    """A field's value, with the rule applied to the options within it."""
    if isinstance(value, Mapping):
        if field is not None and OPTIONS_OF in field.metadata:
            choose = field.metadata[OPTIONS_OF]
            if isinstance(choose, str):
                choose = pkgutil.resolve_name(choose)
            options = choose(value)
            if options is None:
                return value
            if isinstance(options, type):
                return _walk(options, value, rule, None, record)
            return _walk(type(options), value, rule, options, record)
        if typing.get_origin(hint) is dict:
            inside = typing.get_args(hint)[1]
            others = record if isinstance(record, Mapping) else {}
            return {
                key: _descend(inside, None, item, rule, others.get(key))
                for key, item in value.items()
            }
        for option in _alternatives(hint):
            if dataclasses.is_dataclass(option):
                return _walk(option, value, rule, defaults, record)  # type: ignore[arg-type]
    return value


def _alternatives(hint: Any) -> tuple[Any, ...]:
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return typing.get_args(hint) if union else (hint,)


def _default(field: "dataclasses.Field[Any]", defaults: Any) -> Any:
    if defaults is not None:
        return getattr(defaults, field.name)
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return _ABSENT


def _without_added(default: Any) -> Any:
    """Plain values of a default, without any added option."""
    if dataclasses.is_dataclass(default) and not isinstance(default, type):
        return _walk(type(default), _plain(default), lambda *_: _ABSENT)
    return _plain(default)


def _plain(value: Any) -> Any:
    """The value as JSON gives it back."""
    if value is _ABSENT:
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    return json.loads(json.dumps(value))
