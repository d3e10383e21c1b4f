# SPDX-License-Identifier: Apache-2.0
"""A tiny checkpoint, and the data sets of suites prepared from trees in their official layouts."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from medst_jax.data_pipelines.registry import DATASETS
from tests.data_pipelines.official import prepare
from tests.evaluate.suites.trees import LISTS, TREES
from tests.parallel.together import ROOT


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Runs `python launch/SCRIPT ...` in one folder of the session; what it printed."""
    folder = tmp_path_factory.mktemp("suites")

    def command(script: str, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, str(ROOT / "launch" / script), *arguments],
            cwd=folder,
            env={**os.environ, "JAX_PLATFORMS": "cpu"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout

    return command


@pytest.fixture(scope="session")
def checkpoint(run: Callable[..., str]) -> str:
    """Workdir of DLILP after two steps on a simulated cohort of 30 patients."""
    cohort = ("--dataset=simulated_cxr", "--patients=30", "--size=64", "--sites=m,c")
    run("prepare.py", "--data_dir=cohort", *cohort)
    words = ("--vocabulary=simulated_cxr", "--datasets=simulated_cxr_m,simulated_cxr_c")
    run("prepare.py", "--data_dir=cohort", *words, "--vocabulary_size=400")
    run(
        "train.py",
        f"--config={ROOT}/configs/dlilp.py:tiny",
        "--workdir=checkpoint",
        "--config.data.data_dir=cohort",
        "--config.train.steps=2",
        "--config.train.batch_size=8",
        "--config.optimizer.warmup_steps=1",
    )
    return "checkpoint"


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Prepares data sets from their trees, each once a session; the folder of the data."""
    raw, data = tmp_path_factory.mktemp("downloads"), tmp_path_factory.mktemp("data")

    def make(*names: str) -> Path:
        for name in names:
            if not (data / name).exists():
                assert name in DATASETS
                tree = raw / TREES[name].__name__
                if not tree.exists():
                    TREES[name](tree)
                listed = {"split_lists": str(tree / LISTS)} if name.endswith("_benchx") else {}
                prepare(name, tree, data, **listed)
        return data

    return make
