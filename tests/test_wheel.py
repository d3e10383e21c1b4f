# SPDX-License-Identifier: Apache-2.0
"""The wheel, installed elsewhere and used from another folder: everything is in it and runs."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

from tests.parallel.together import ROOT

pytestmark = pytest.mark.slow
FOLDERS = ("medst_jax", "launch", "configs", "data_pipelines", "benchmarks")
SUITE = """
from ml_collections import ConfigDict


def get_config(arg=None):
    suite = ConfigDict(dict(draws=20, seed=0))
    task = dict(dataset="simulated_cxr_e1", split="enriched", classes=("Edema", "Cardiomegaly"))
    train = dict(dataset="simulated_cxr_e2", split="enriched")
    suite.tasks = {"probe": dict(protocol="linear_probe", task=task, train=train, shots=(1,))}
    suite.cells = dict(
        systems=("dlilp",),
        mixtures={"M": ("simulated_cxr_m",)},
        seeds=(0,),
        variant="tiny",
        columns={"probe/1 shots": "balanced_accuracy"},
        controls={"random": dict(system="dlilp", mixture="M", flags=("--config.train.steps=1",))},
        reference="random",
        baselines=("all_pixels",),
    )
    return suite
"""


class Installed:
    """The wheel in a folder of its own, before all that this interpreter has.

    Attributes:
      wheel: the file.
      site: where it is installed.
      work: an empty folder, in which commands run.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        source, self.site, self.work = folder / "source", folder / "site", folder / "work"
        for name in FOLDERS:
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=ignore)
        for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, source)
        self.work.mkdir()
        pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
        subprocess.run([*pip, "wheel", "--no-deps", f"--wheel-dir={folder}", source], check=True)
        (self.wheel,) = folder.glob("*.whl")
        install = ("install", "--no-deps", f"--target={self.site}", self.wheel)
        subprocess.run([*pip, *install], check=True)
        shutil.rmtree(source)

    def run(self, *words: str | pathlib.Path, code: int = 0) -> str:
        """What a command prints that ends with an exit code."""
        done = subprocess.run(
            words,
            cwd=self.work,
            env={**os.environ, "PYTHONPATH": str(self.site), "JAX_PLATFORMS": "cpu"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout + done.stderr

    def medst(self, *words: str, code: int = 0) -> str:
        """The same of the console script."""
        return self.run(self.site / "bin" / "medst", *words, code=code)


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Installed:
    return Installed(tmp_path_factory.mktemp("wheel"))


def test_no_generic_name_lands_beside_the_package(installed) -> None:
    names = {path.name.split("-")[0] for path in installed.site.iterdir()}
    assert names == {"medst_jax", "bin"}
    inside = {str(path.relative_to(ROOT)) for path in ROOT.glob("medst_jax/*/**/*.*")}
    inside |= {str(path.relative_to(ROOT)) for path in ROOT.glob("medst_jax/*.*")}
    wanted = {name for name in inside if "__pycache__" not in name}
    missing = {name for name in wanted if not (installed.site / name).exists()}
    assert not missing and "medst_jax/py.typed" in wanted


def test_pods_get_the_wheel_again(installed) -> None:
    code = "import pathlib; from medst_jax.commands.pod.archive import archive_name, pack; "
    code += "pack(pathlib.Path(archive_name())); print(archive_name())"
    packed = installed.work / installed.run(sys.executable, "-c", code).split()[-1]
    with zipfile.ZipFile(packed) as again, zipfile.ZipFile(installed.wheel) as first:
        assert packed.name == installed.wheel.name
        assert sorted(again.namelist()) == sorted(first.namelist())
        assert {f.filename: f.CRC for f in again.infolist() if "RECORD" not in f.filename} == {
            f.filename: f.CRC for f in first.infolist() if "RECORD" not in f.filename
        }
    target = f"--target={installed.work / 'again'}"
    installed.run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", target, packed)


def test_prepare_train_evaluate(installed) -> None:
    prepare = ("prepare", "--data_dir=data")
    train = ("train", "--config=dlilp:tiny", "--workdir=run", "--config.data.data_dir=data")
    lacking = installed.medst(*train, code=1)
    assert (
        "\n  medst prepare --dataset=simulated_cxr" in lacking or "medst prepare --voc" in lacking
    )
    installed.medst(
        *prepare, "--dataset=simulated_cxr", "--patients=24", "--size=64", "--workers=1"
    )
    installed.medst(
        *prepare,
        *("--vocabulary=simulated_cxr", "--datasets=simulated_cxr_m,simulated_cxr_c"),
        "--vocabulary_size=300",
    )
    installed.medst(*train, "--config.train.batch_size=8", "--config.train.steps=4")
    (installed.work / "suite.py").write_text(SUITE)
    evaluate = ("evaluate", "--checkpoint=run", "--suite=suite.py", "--output=evaluation")
    assert "report: evaluation/report.html" in installed.medst(*evaluate)
    rows = json.loads((installed.work / "evaluation" / "metrics.json").read_text())
    assert {row["dataset"] for row in rows} == {"simulated_cxr_e1"}
    installed.medst("export", "--checkpoint=run", "--output=exported")
    assert (installed.work / "exported" / "model.safetensors").exists()


def test_a_reality_check_runs_its_cells_by_the_installed_commands(installed) -> None:
    cell = "baseline-all_pixels"
    check = ("reality-check", "--suite=suite.py", "--data_dir=data", f"--cell={cell}")
    assert "report: " in installed.medst(*check, "--output=check")
    assert (installed.work / "check" / "cells" / cell / "evaluation" / "metrics.json").exists()
