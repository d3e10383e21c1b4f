# SPDX-License-Identifier: Apache-2.0
"""The main job, end to end, by its commands: prepare, train, evaluate, embed, export."""

import csv
import json
import os
import pathlib
import subprocess
import sys

import cv2
import numpy as np
import pytest
from safetensors.numpy import load_file

import medst_jax

ROOT = pathlib.Path(__file__).resolve().parents[2]


def command(*arguments: str, cwd: pathlib.Path) -> str:
    """Run `python launch/...` in a folder of its own; its output, or a failure that shows it."""
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    script, *rest = arguments
    done = subprocess.run(
        [sys.executable, str(ROOT / "launch" / script), *rest],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout + done.stderr


SUITE = """
from ml_collections import ConfigDict

CLASSES = ("Cardiomegaly", "Edema", "Pleural Effusion")


def get_config(arg=None):
    suite = ConfigDict(dict(draws=20, seed=0))
    task = dict(dataset="simulated_cxr_e1", split="enriched", classes=CLASSES)
    probed = dict(dataset="simulated_cxr_e2", split="enriched")
    suite.tasks = {
        "prototypes": dict(protocol="zero_shot", task=task, mode="prototypes"),
        "text": dict(protocol="zero_shot", task=task, mode="text"),
        "probe": dict(protocol="linear_probe", task=task, train=probed, shots=(1,)),
    }
    return suite
"""
TRAIN = (
    "train.py",
    f"--config={ROOT}/configs/dlilp.py:tiny",
    "--workdir=runs/one",
    "--config.data.data_dir=data",
    "--config.train.steps=4",
    "--config.train.checkpoint_every=2",
    "--config.train.batch_size=8",
    "--config.optimizer.warmup_steps=1",
    "--config.train.compilation_cache=cache",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a cohort of 60 patients, its vocabulary and a trained run."""
    path = tmp_path_factory.mktemp("chain")
    prepare = ("prepare.py", "--data_dir=data")
    command(*prepare, "--dataset=simulated_cxr", "--patients=60", "--size=64", cwd=path)
    command(
        *prepare,
        "--vocabulary=simulated_cxr",
        "--datasets=simulated_cxr_m,simulated_cxr_c",
        "--vocabulary_size=400",
        cwd=path,
    )
    command(*TRAIN, cwd=path)
    return path


def test_training_writes_its_records(folder):
    run = folder / "runs" / "one"
    summary = json.loads((run / "summary.json").read_text())
    assert summary["step"] == 4 and len(summary["parameter_checksum"]) == 64
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert all(np.isfinite(line["loss"]) for line in lines if "loss" in line)
    assert {p.name for p in (run / "checkpoints").iterdir()} == {"2", "4"}


def test_the_same_command_again_trains_no_further(folder):
    before = json.loads((folder / "runs/one/summary.json").read_text())
    command(*TRAIN, cwd=folder)
    after = json.loads((folder / "runs/one/summary.json").read_text())
    assert after["parameter_checksum"] == before["parameter_checksum"]


def test_evaluation_writes_rows_and_a_report(folder):
    (folder / "suite.py").write_text(SUITE)
    said = command(
        "evaluate.py",
        "--checkpoint=runs/one",
        "--suite=suite.py",
        "--output=evaluation",
        cwd=folder,
    )
    assert "report: evaluation/report.html" in said
    # No library tells which file it opens.
    assert "orbax" not in said and "dataset_info" not in said
    rows = json.loads((folder / "evaluation/metrics.json").read_text())
    keys = {"system", "dataset", "task", "protocol", "metric", "value", "low", "high", "n", "seed"}
    assert rows and all(keys <= set(row) for row in rows)
    assert {"zero_shot", "linear_probe"} == {row["protocol"] for row in rows}
    assert "<html" in (folder / "evaluation/report.html").read_text()


def test_own_prompts_are_asked_and_recorded(folder):
    (folder / "suite.py").write_text(SUITE)
    (folder / "own.json").write_text('{"edema": ["fluid in the lung", "kerley lines"]}')
    run = ("evaluate.py", "--checkpoint=runs/one", "--suite=suite.py")
    command(*run, "--prompts=own.json", "--output=own", cwd=folder)
    rows = json.loads((folder / "own/metrics.json").read_text())
    noted = {row["task"] for row in rows if "prompts of own.json (sha256 " in row["note"]}
    assert noted == {"text"}
    assert "fluid in the lung; kerley lines" in (folder / "own/report.html").read_text()
    (folder / "own.json").write_text('{"Edma": ["fluid in the lung"]}')
    with pytest.raises(AssertionError, match="error: --prompts names 'Edma', .*mean 'Edema'"):
        command(*run, "--prompts=own.json", "--output=own", cwd=folder)


def test_several_checkpoints_are_asked_together(folder):
    (folder / "pairs.py").write_text(SUITE.replace('mode="text"', 'mode="pairs"'))
    run = ("evaluate.py", "--checkpoint=runs/one", "--suite=pairs.py")
    scores = {}
    for flag in ("--step=2", "--step=4", "--steps=2,4"):
        said = command(*run, flag, f"--output=of{flag}", cwd=folder)
        with np.load(folder / f"of{flag}" / "predictions.npz") as arrays:
            scores[flag] = arrays["text|scores"][0]
    assert "skipped probe: several checkpoints are averaged by zero_shot" in said
    assert "skipped prototypes" in said and "skipped text" not in said
    two, four, both = (1 / (1 + np.exp(-value.astype(np.float64))) for value in scores.values())
    assert np.abs(two - four).max() > 1e-4
    np.testing.assert_allclose(both, (two + four) / 2, atol=1e-6)
    assert "2, 4" in (folder / "of--steps=2,4/report.html").read_text()


def test_a_folder_of_images_becomes_features(folder):
    table = folder / "table"
    table.mkdir()
    random = np.random.default_rng(0)
    with (table / "metadata.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image_path", "image_id", "patient_id"])
        for k in range(3):
            cv2.imwrite(str(table / f"{k}.png"), random.integers(0, 255, (80, 70), np.uint8))
            writer.writerow([f"{k}.png", f"image{k}", f"patient{k}"])
    command("embed.py", "--checkpoint=runs/one", "--source_dir=table", "--output=f.npz", cwd=folder)
    with np.load(folder / "f.npz") as features:
        assert list(features["image_id"]) == ["image0", "image1", "image2"]
        assert features["features"].shape[0] == 3 and np.all(np.isfinite(features["features"]))
        np.testing.assert_allclose(np.linalg.norm(features["global_"], axis=1), 1, atol=1e-5)
        encoder = medst_jax.load_encoder(folder / "runs/one")
        found = encoder.images([table / f"{k}.png" for k in range(3)])
        np.testing.assert_allclose(found.features, features["features"], atol=1e-5)
        assert encoder.texts(["edema"]).global_.shape[1] == features["global_"].shape[1]


def test_the_image_encoder_is_exported_under_torchvision_names(folder):
    command(
        "export.py",
        "--checkpoint=runs/one",
        "--format=safetensors",
        "--output=exported",
        cwd=folder,
    )
    tensors = load_file(folder / "exported" / "model.safetensors")
    assert tensors["conv1.weight"].shape[1:] == (1, 3, 3)
    assert "layer1.0.bn1.running_var" in tensors
    for name in ("config.json", "labels.json", "tokenizer.model", "README.md"):
        assert (folder / "exported" / name).exists(), name
    # The same file competes as if it came from elsewhere, and has the features it had.
    (folder / "suite.py").write_text(SUITE)
    said = command(
        *("evaluate.py", "--weights=exported/model.safetensors", "--layout=torchvision"),
        *("--size=64", "--channels=1", "--mean=0.5", "--std=0.25", "--data_dir=data"),
        *("--suite=suite.py", "--output=foreign"),
        cwd=folder,
    )
    assert "skipped text: this system has no text encoder" in said
    rows = json.loads((folder / "foreign/metrics.json").read_text())
    assert {row["task"] for row in rows} == {"probe/1 shots"}


@pytest.mark.parametrize(
    "flag,message",
    [
        ("--config.train.stepz=3", "stepz"),
        ("--config.system.name=clap", "known systems: "),
        ("--config.train.batch_size=0", "batch_size"),
        ("--config.data.vocabulary=other", "prepare.py --vocabulary=other"),
        ("--config.seed=7", "seed"),
    ],
)
def test_mistakes_end_in_one_clear_line(folder, flag, message):
    done = subprocess.run(
        [sys.executable, str(ROOT / "launch" / TRAIN[0]), *TRAIN[1:], flag],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert message in done.stderr and "Traceback" not in done.stderr, last
