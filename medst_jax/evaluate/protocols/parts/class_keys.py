# SPDX-License-Identifier: Apache-2.0
"""Tables of a suite whose keys are classes: found in any spelling, refused where misspelt."""

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

from medst_jax.data.mixture.labels import label_key
from medst_jax.options import OptionError

T = TypeVar("T")


def of_class(given: Mapping[str, T], name: str, default: T) -> T:
    """The entry of a class; letter case and spacing do not count.

    >>> of_class({"pleural effusion": 1}, "Pleural Effusion", 0)
    1
    """
    key = label_key(name)
    return next((value for own, value in given.items() if label_key(own) == key), default)


def of_classes(given: Mapping[str, T], classes: Iterable[str]) -> dict[str, T]:
    """The entries of some classes, of a table that serves several tasks."""
    keys = {label_key(name) for name in classes}
    return {name: value for name, value in given.items() if label_key(name) in keys}


def check_class_keys(given: Iterable[str], classes: Iterable[str], option: str) -> None:
    """Refuse a key that is no class, for it would change nothing, and a class that has two keys.

    Args:
      given: keys of the table.
      classes: those it may name.
      option: what the table is called, for the message.

    Raises:
      OptionError: names the key and the nearest class.
    """
    known = {label_key(name): name for name in classes}
    seen: dict[str, str] = {}
    for name in given:
        key = label_key(name)
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {known[near[0]]!r}?" if near else f"classes: {_named(known)}"
            raise OptionError(f"{option} names {name!r}, which is no class of the task; {hint}")
        if key in seen:
            raise OptionError(f"{option} names one class twice, {seen[key]!r} and {name!r}")
        seen[key] = name


def _named(known: Mapping[str, str]) -> str:
    return ", ".join(known.values())
