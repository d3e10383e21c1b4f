# SPDX-License-Identifier: Apache-2.0
"""The toy system, as a module and as a command run in a process of its own."""

import importlib
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


@pytest.fixture(scope="session")
def toy() -> ModuleType:
    """tests/train/toy.py; registers the system "toy"."""
    return importlib.import_module("tests.train.toy")


@pytest.fixture(scope="session")
def start_toy(compiled: pathlib.Path) -> Callable[..., "subprocess.Popen[str]"]:
    """Start tests/train/toy.py on a workdir in another process; keywords change its config."""

    def start(
        workdir: pathlib.Path, *arguments: str, prefix: tuple[str, ...] = (), **environment: Any
    ) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*prefix, sys.executable, str(HERE / "toy.py"), str(workdir), *arguments],
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "JAX_COMPILATION_CACHE_DIR": str(compiled),
                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
                "OMP_NUM_THREADS": "1",
                **environment,
            },
            stderr=subprocess.PIPE,
            text=True,
        )

    return start
