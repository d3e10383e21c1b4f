# SPDX-License-Identifier: Apache-2.0
"""One entry of a shipped suite for every protocol, as an example of its options."""

import importlib
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[1]


def shipped_entries() -> dict[str, tuple[str, dict[str, Any]]]:
    """By protocol (suite's file, entry): the shortest there is, on the simulated cohort if one is.

    Protocols of which no suite has an entry are left out.
    """
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for suite, entry in _entries():
        best = found.get(entry["protocol"])
        if best is None or _effort(entry) < _effort(best[1]):
            found[entry["protocol"]] = (suite, entry)
    return found


def _effort(entry: Mapping[str, Any]) -> tuple[bool, int]:
    text = repr(entry)
    return "simulated_" not in text, len(text)


def _entries() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted((ROOT / "configs" / "evaluate").glob("[a-z]*.py")):
        suite = importlib.import_module(f"medst_jax.configs.evaluate.{file.stem}")
        if not hasattr(suite, "get_config"):  # parts of suites
            continue
        for entry in suite.get_config().to_dict()["tasks"].values():
            yield str(file.relative_to(ROOT)), entry


def written(entry: Mapping[str, Any], indent: str = "") -> str:
    """An entry as one writes it in a suite: calls of dict, one option a line."""
    lines = ["dict("]
    first = sorted(entry.items(), key=lambda item: item[0] != "protocol")
    for key, value in first:
        shown = written(value, indent + "    ") if _is_named(value) else repr(value)
        lines.append(f"{indent}    {key}={shown},")
    return "\n".join([*lines, f"{indent})"])


def _is_named(value: Any) -> bool:
    """Whether a mapping can be written as keywords."""
    return isinstance(value, Mapping) and bool(value) and all(str(k).isidentifier() for k in value)
