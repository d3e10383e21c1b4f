# SPDX-License-Identifier: Apache-2.0
"""A second name for a package: `configs.dlilp` is the same module as `medst_jax.configs.dlilp`.

In a clone the folders `configs` and `data_pipelines` stand beside the package, and users import
them by those names; an installed package has them inside `medst_jax` alone. Two names for one
module object mean that its classes and registries exist once.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType


class _Alias(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, name: str, target: str) -> None:
        self.name, self.target = name, target

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not name.startswith(self.name + "."):
            return None
        real = self.target + name[len(self.name) :]
        if importlib.util.find_spec(real) is None:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = importlib.import_module(self.target + spec.name[len(self.name) :])
        self._own = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The import machinery has put the alias's spec on the module: give its own back.
        module.__spec__ = self._own


def alias(name: str, target: str) -> None:
    """Make `name` and all that lies under it the modules of package `target`."""
    sys.meta_path.insert(0, _Alias(name, target))
    sys.modules[name] = importlib.import_module(target)
