# SPDX-License-Identifier: Apache-2.0
"""Every configuration of paper size with the defaults of all its options, as committed files.

python -m tests.configs.expanded     writes tests/configs/golden/*.json anew
"""

import dataclasses
import importlib
import json
import pathlib
import pkgutil
import typing
from collections.abc import Mapping
from typing import Any

from medst_jax.options import OPTIONS_OF
from medst_jax.train.sections import Sections

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = HERE / "golden"
CONFIGS = HERE.parents[1] / "configs"
NAMES = sorted(p.stem for p in CONFIGS.glob("*.py") if "def get_config" in p.read_text())


def paper_size(name: str) -> dict[str, Any]:
    """The configuration as its file gives it."""
    config = importlib.import_module(f"medst_jax.configs.{name}").get_config()
    return json.loads(config.to_json())


def text_of(name: str) -> str:
    """The expanded configuration, as its golden file holds it."""
    return json.dumps(_expand(Sections, paper_size(name)), indent=1, sort_keys=True) + "\n"


def _expand(cls: type, values: Mapping[str, Any], defaults: Any = None) -> dict[str, Any]:
    """`values` with the fields that they lack, at any depth; keys that are no fields stay."""
    result, hints = dict(values), typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        if field.name not in values:
            value = _default(field, defaults)
            if value is dataclasses.MISSING:
                continue
            result[field.name] = value
        result[field.name] = _within(hints[field.name], field, result[field.name])
    return result


def _default(field: "dataclasses.Field[Any]", defaults: Any) -> Any:
    if defaults is not None:
        return getattr(defaults, field.name)
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _within(hint: Any, field: "dataclasses.Field[Any]", value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if not isinstance(value, Mapping):
        return value
    if OPTIONS_OF in field.metadata:
        choose = field.metadata[OPTIONS_OF]
        chosen = (pkgutil.resolve_name(choose) if isinstance(choose, str) else choose)(value)
        if chosen is None:
            return dict(value)
        of_class = isinstance(chosen, type)
        return _expand(chosen if of_class else type(chosen), value, None if of_class else chosen)
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is dict and dataclasses.is_dataclass(arguments[1]):
        return {key: _expand(arguments[1], item) for key, item in value.items()}
    for option in (hint, *arguments):
        if dataclasses.is_dataclass(option):
            return _expand(option, value)
    return dict(value)


def write() -> None:
    """Write all golden files anew."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.json"):
        old.unlink()
    for each in NAMES:
        (FOLDER / f"{each}.json").write_text(text_of(each))


if __name__ == "__main__":
    write()
