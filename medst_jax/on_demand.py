# SPDX-License-Identifier: Apache-2.0
"""Names of a package that load their file when they are first used (PEP 562).

`import medst_jax.models` would otherwise read every encoder before one of them is wanted. The
package lists its names twice: under `TYPE_CHECKING`, for type checkers and editors, and in the
table given here; a test holds the two against each other.
"""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def names_on_demand(
    package: str, where: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package.

    Args:
      package: its `__name__`.
      where: public name to the file that defines it, relative to the package ("clip").

    >>> get, listed, names = names_on_demand("collections", {"Mapping": "abc"})
    >>> get("Mapping").__name__, listed(), names
    ('Mapping', ['Mapping'], ['Mapping'])
    """

    def get(name: str) -> Any:
        if name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{package}.{where[name]}"), name)
        # The next use finds the name itself and does not come here again.
        setattr(sys.modules[package], name, value)
        return value

    names = sorted(where)
    return get, lambda: names, names
