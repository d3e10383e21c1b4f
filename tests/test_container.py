# SPDX-License-Identifier: Apache-2.0
"""The Dockerfile: read where nothing can build it, built where something can."""

import configparser
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGETS = ("cpu", "tpu", "cuda")
_KNOWN = {"FROM", "ENV", "WORKDIR", "COPY", "RUN"}
_BUILDER = next((name for name in ("docker", "podman", "buildah") if shutil.which(name)), None)


def _instructions() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def test_every_instruction_is_known_and_every_stage_has_a_name():
    instructions = _instructions()
    assert {word for word, _ in instructions} <= _KNOWN
    stages = [
        re.fullmatch(r"(\S+) AS (\w+)", rest) for word, rest in instructions if word == "FROM"
    ]
    assert all(stages) and [stage[2] for stage in stages] == ["base", *TARGETS]
    images = {stage[1] for stage in stages if stage[1] not in {s[2] for s in stages}}
    # A tag of its own, with the Python of the constraints.
    assert images == {"python:3.12-slim-bookworm"}


def test_what_is_copied_and_installed_exists():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    for word, rest in _instructions():
        if word == "COPY":
            *sources, _ = rest.split()
            assert all((ROOT / source).exists() for source in sources), rest
        for name in re.findall(r"-c (\S+)", rest):
            assert (ROOT / name).is_file()
        for extra in re.findall(r"-e \.\[(\w+)\]", rest):
            assert extra in setup["options.extras_require"]


def test_no_data_and_no_history_go_into_the_image():
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".git", ".venv", "data", "runs"} <= set(ignored)
    for word, rest in _instructions():
        if word == "COPY":
            assert not set(rest.split()) & set(ignored)


def test_the_images_are_those_that_the_documents_name():
    named = {
        file: set(re.findall(r"medst_jax:(\w+)", (ROOT / file).read_text()))
        for file in ("docs/gpu.md", "docs/pods.md", "launch/pod/jobset.py", "launch/slurm/step.sh")
    }
    assert named["launch/pod/jobset.py"] == named["docs/pods.md"] == {"tpu"}
    assert named["launch/slurm/step.sh"] == named["docs/gpu.md"] == {"cuda"}
    assert {"tpu", "cuda"} < set(TARGETS)


@pytest.mark.slow
def test_the_image_for_cpus_can_be_built():
    if _BUILDER is None:
        pytest.skip("no docker, podman or buildah: the image is only read")
    # A client without its daemon, or without a way to the registry, builds nothing.
    base = next(rest.split()[0] for word, rest in _instructions() if word == "FROM")
    if subprocess.run([_BUILDER, "pull", base], capture_output=True, check=False).returncode:
        pytest.skip(f"{_BUILDER} cannot pull {base}: the image is only read")
    built = subprocess.run(
        [_BUILDER, "build", "--target", "cpu", "-t", "medst_jax:cpu", "."], cwd=ROOT, check=False
    )
    assert built.returncode == 0
