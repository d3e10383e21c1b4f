# SPDX-License-Identifier: Apache-2.0
"""A configuration of paper size with every option, flat: of the committed files of `tests/configs/golden`.

Those files are compared with the configurations themselves by a test of their own.
"""

import hashlib
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "tests" / "configs" / "golden"


def expanded(name: str) -> dict[str, Any]:
    """The options of `configs/NAME.py` by dotted key, in order."""
    return dict(_flat(json.loads((GOLDEN / f"{name}.json").read_text()), ""))


def digest(config: Mapping[str, Any]) -> str:
    """By which a sheet knows its configuration."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:12]


def _flat(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping) or not value:
        yield key, value
        return
    for name, item in value.items():
        yield from _flat(item, f"{key}.{name}" if key else name)
