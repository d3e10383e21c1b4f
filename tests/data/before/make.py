# SPDX-License-Identifier: Apache-2.0
"""Writes the fixture of this folder with a checkout of an earlier version.

    python tests/data/before/make.py CHECKOUT

fixture.tar.xz was written by commit f987748, the last one whose modules lay flat; README.md says
what it holds. It stands for the runs that people have: it is never written anew, a later version
gets a fixture of its own.
"""

import json
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from importlib import metadata

HERE = pathlib.Path(__file__).resolve().parent
# One thread and one instruction set: the bits of a step then depend on the compiler alone. The
# rest makes it compile fast.
XLA_FLAGS = (
    "--xla_cpu_multi_thread_eigen=false --xla_cpu_max_isa=AVX2"
    " --xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    " --xla_cpu_use_fusion_emitters=false"
)
SETS = ("simulated_cxr_m", "simulated_cxr_c")
CELL = f"dlilp-{'+'.join(SETS)}-0"
TINY = (
    "--config.train.steps=60",
    "--config.train.batch_size=8",
    "--config.train.log_every=1",
    "--config.train.checkpoint_every=1000",
    "--config.train.ema=0.9",
    "--config.train.compilation_cache=",
    "--config.data.size=32",
    "--config.data.num_workers=0",
    "--config.system.preprocess.size=32",
    "--config.system.image.widths=(4,8,8,8)",
    "--config.system.image.stem_width=4",
    "--config.system.text.width=16",
    "--config.system.text.mlp=32",
    "--config.system.joint=16",
)
COHORT = ("--patients=24", "--size=32", "--sites=m,c,e1")
CELL_CONFIG = """
import json, sys
from configs.dlilp import get_config
print(json.dumps(get_config("tiny," + "+".join(sys.argv[1:])).to_dict()))
"""
FIELDS = """
import dataclasses, json, sys
sys.path.append(sys.argv[1])
from option_classes import option_classes
from medst_jax import systems
from medst_jax.data.data_options import DataOptions
from medst_jax.systems import towers
from medst_jax.train.initial_weights import InitOptions
from medst_jax.train.options import MeshOptions, OptimizerOptions, TrainOptions

found = {
    "data": DataOptions,
    "init": InitOptions,
    "train": TrainOptions,
    "optimizer": OptimizerOptions,
    "mesh": MeshOptions,
}
found |= {"system " + name: systems.system_class(name).Options for name in systems.available()}
for table in (towers.IMAGE_ENCODERS, towers.AUTOENCODERS):
    found |= {"encoder " + name: type(options()) for name, (_, options) in table.items()}
for name, (_, options) in towers.TEXT_ENCODERS.items():
    found["encoder " + name] = type(options(vocabulary_size=1))
fields = {
    name: [field.name for field in dataclasses.fields(cls)]
    for name, cls in option_classes(found).items()
}
print(json.dumps(fields))
"""
PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy")


def main(checkout: str) -> None:
    code = pathlib.Path(checkout).resolve()
    with tempfile.TemporaryDirectory() as folder:
        made = pathlib.Path(folder)
        shutil.copy(HERE / "suite.py", made)
        _prepare(code, made)
        _check(code, made)
        _stop_half_way(code, made)
        cell = made / "check" / "cells" / CELL
        _call(
            code,
            made,
            "export.py",
            f"--checkpoint={cell}",
            "--output=export",
            f"--metrics={cell}/evaluation/metrics.json",
        )
        shutil.rmtree(cell / "checkpoints")
        (made / "option_fields.json").write_text(_run(code, FIELDS, str(HERE)))
        (made / "versions.json").write_text(json.dumps(_versions(code), indent=2) + "\n")
        with tarfile.open(HERE / "fixture.tar.xz", "w:xz") as archive:
            archive.add(made, arcname=".", filter=_plain)


def _prepare(code: pathlib.Path, made: pathlib.Path) -> None:
    _call(code, made, "prepare.py", "--dataset=simulated_cxr", "--data_dir=data", *COHORT)
    _call(
        code,
        made,
        "prepare.py",
        "--vocabulary=simulated_cxr",
        "--data_dir=data",
        f"--datasets={','.join(SETS)}",
        "--vocabulary_size=300",
    )
    for name in (made / "data").glob("*/banks"):
        shutil.rmtree(name)  # of the preparation alone
    for card in (made / "data").rglob("data_card.html"):
        card.unlink()


def _check(code: pathlib.Path, made: pathlib.Path) -> None:
    """A reality check of one cell; its training is the uninterrupted run."""
    flags = [f"--train_flag={flag}" for flag in TINY]
    _call(
        code,
        made,
        "reality_check.py",
        "--suite=suite.py",
        "--data_dir=data",
        "--output=check",
        *flags,
    )
    # Of the digest that names the cell: its config before any flag.
    (made / "check" / "cell_config.json").write_text(_run(code, CELL_CONFIG, *SETS))


def _stop_half_way(code: pathlib.Path, made: pathlib.Path) -> None:
    """The same training, told to stop after a third of its steps or a little later."""
    log = made / "workdir" / "log.jsonl"
    process = subprocess.Popen(
        [
            sys.executable,
            str(code / "launch" / "train.py"),
            f"--config={code}/configs/dlilp.py:tiny,{'+'.join(SETS)}",
            "--workdir=workdir",
            "--config.seed=0",
            f"--config.data.data_dir={made / 'data'}",
            *TINY,
        ],
        cwd=made,
        env=_environment(),
    )
    while process.poll() is None and (not log.exists() or log.read_text().count("\n") < 20):
        time.sleep(0.001)
    process.send_signal(signal.SIGTERM)
    if process.wait() != 75:
        raise SystemExit(f"the training ended with code {process.returncode}, not stopped half way")


def _call(code: pathlib.Path, made: pathlib.Path, script: str, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, str(code / "launch" / script), *arguments],
        cwd=made,
        env=_environment(),
        check=True,
    )


def _run(code: pathlib.Path, program: str, *arguments: str) -> str:
    """What a program prints that imports the checkout's modules."""
    found = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=code,
        env=_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout


def _environment() -> dict[str, str]:
    return {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": XLA_FLAGS}


def _versions(code: pathlib.Path) -> dict[str, object]:
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=code, capture_output=True, text=True, check=True
    )
    return {
        "commit": commit.stdout.strip(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "xla_flags": XLA_FLAGS,
        "packages": {name: metadata.version(name) for name in PACKAGES},
    }


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """The entry without owner and mode; None leaves out what only the writing machine reads."""
    if "__pycache__" in entry.name:
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.isdir() else 0o644
    return entry


if __name__ == "__main__":
    main(*sys.argv[1:])
