# SPDX-License-Identifier: Apache-2.0
"""What a configuration reads, so that workers get this and no more."""

import importlib.util
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from medst_jax.commands.pod.slice import PodError
from medst_jax.config_flag import find


def load_config(argument: str) -> dict[str, Any]:
    """The configuration of `--config=FILE[:VARIANT]` or of a shipped name.

    Raises:
      PodError: no such file and no such name.
    """
    try:
        file, _, variant = find(argument).partition(":")
    except ValueError as error:
        raise PodError(f"--config={argument}: {error}") from None
    spec = importlib.util.spec_from_file_location("staged_config", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["staged_config"] = module
    spec.loader.exec_module(module)
    values: dict[str, Any] = module.get_config(variant or None).to_dict()
    return values


def datasets_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Data sets that training and its evaluators read, in a fixed order."""
    mixture = config["data"]["mixture"]
    names = {entry.get("dataset") or name for name, entry in mixture.items()}
    return tuple(sorted(names | set(_named(config.get("evaluate", {})))))


def _named(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key == "dataset" and isinstance(item, str) and item:
                yield item
            else:
                yield from _named(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _named(item)
