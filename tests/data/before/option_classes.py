# SPDX-License-Identifier: Apache-2.0
"""All options by section: to find those that were added since."""

import dataclasses
import typing
from collections.abc import Iterator, Mapping


def option_classes(sections: Mapping[str, type]) -> dict[str, type]:
    """Dotted section to its dataclass, sections within sections included.

    Args:
      sections: name to dataclass of options.
    """
    return dict(found for name, cls in sections.items() for found in _within(name, cls))


def _within(name: str, cls: type) -> Iterator[tuple[str, type]]:
    yield name, cls
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        hint = hints[field.name]
        for inner in (hint, *typing.get_args(hint)):
            if dataclasses.is_dataclass(inner):
                yield from _within(f"{name}.{field.name}", inner)
