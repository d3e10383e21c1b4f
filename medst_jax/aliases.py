# SPDX-License-Identifier: Apache-2.0
"""Second names of modules: `configs.dlilp` is the same module as `medst_jax.configs.dlilp`.

In a clone the folders `configs` and `data_pipelines` stand beside the package, and users import
them by those names; an installed package has them inside `medst_jax` alone. Two names for one
module object mean that its classes and registries exist once.
"""

import abc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType

# Modules of the first edition that scripts import by their path, and where they lie now.
MOVED = {
    "medst_jax.data.exclusion": "medst_jax.data.mixture.exclusion",
    "medst_jax.data.index": "medst_jax.data.records.index",
    "medst_jax.data.policy": "medst_jax.data.mixture.policy",
    "medst_jax.data.studies": "medst_jax.data.records.studies",
    "medst_jax.evaluate.bench": "medst_jax.evaluate.subjects.context",
    "medst_jax.evaluate.bootstrap": "medst_jax.evaluate.statistics.bootstrap",
    "medst_jax.evaluate.figures": "medst_jax.evaluate.report.figures",
    "medst_jax.evaluate.predictions": "medst_jax.evaluate.statistics.predictions",
    "medst_jax.evaluate.tasks": "medst_jax.evaluate.subjects.tasks",
    "medst_jax.models.placement": "medst_jax.parallel.placement",
    "medst_jax.models.stack": "medst_jax.models.layers.stack",
    "medst_jax.models.vit": "medst_jax.models.encoders.vit",
    "medst_jax.reality_check.work": "medst_jax.reality_check.runner",
}


class _SecondName(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a module under its second name and gives the one that has the first."""

    @abc.abstractmethod
    def target(self, name: str) -> str | None:
        """The first name of the module `name`, None where it has no second one."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        first = self.target(name)
        if first is None or importlib.util.find_spec(first) is None:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        first = self.target(spec.name)
        assert first is not None
        module = importlib.import_module(first)
        self._own = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The import machinery has put the second name's spec on the module: give its own back.
        module.__spec__ = self._own


class _Package(_SecondName):
    def __init__(self, name: str, package: str) -> None:
        self.name, self.package = name, package

    def target(self, name: str) -> str | None:
        inside = name.startswith(self.name + ".")
        return self.package + name[len(self.name) :] if inside else None


class _Moved(_SecondName):
    def target(self, name: str) -> str | None:
        return MOVED.get(name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        warnings.warn(f"{spec.name} is now {MOVED[spec.name]}", DeprecationWarning, stacklevel=2)
        return super().create_module(spec)


def alias(name: str, package: str) -> None:
    """Make `name` and all that lies under it the modules of `package`."""
    sys.meta_path.insert(0, _Package(name, package))
    sys.modules[name] = importlib.import_module(package)


def find_moved_modules() -> None:
    """Let imports of `MOVED` paths work, with a warning; what exists comes first."""
    sys.meta_path.append(_Moved())
