# SPDX-License-Identifier: Apache-2.0
"""What runs on the workers: scripts of a clone, commands of an installed package."""

import shlex

import pytest

from medst_jax.commands.pod import archive, program, scripts
from medst_jax.commands.pod.program import check_program, words_of
from medst_jax.commands.pod.slice import PodError


@pytest.mark.parametrize(
    ("given", "run"),
    [
        (("launch/train.py", "--a=1"), "py launch/train.py --a=1 --distributed"),
        (("medst", "train", "--distributed"), "bin/medst train --distributed"),
        (("medst", "train"), "bin/medst train --distributed"),
        (("medst", "evaluate", "--name=train"), "bin/medst evaluate --name=train"),
        (("nvidia-smi",), "nvidia-smi"),
    ],
)
def test_words_on_a_worker(given, run) -> None:
    assert " ".join(words_of(given, "py", "bin/medst")) == run


def test_a_program_must_be_one_that_workers_have(monkeypatch) -> None:
    check_program(["launch/train.py"])
    with pytest.raises(PodError, match=r"for example -- launch/train\.py"):
        check_program([])
    monkeypatch.setattr(program, "clone", lambda: None)
    check_program(["medst", "train"])
    with pytest.raises(PodError, match="for example -- medst train"):
        check_program([])
    with pytest.raises(PodError, match=r"launch/train\.py is a script of a clone"):
        check_program(["launch/train.py"])


def test_workers_install_the_clone_or_the_wheel(monkeypatch) -> None:
    assert "constraints" in scripts.install(archive.archive_name())
    monkeypatch.setattr(archive, "clone", lambda: None)
    name = archive.archive_name()
    assert name.startswith("medst_jax-") and name.endswith(".whl")
    script = scripts.install(name)
    # As the shell reads it, however the name is quoted.
    assert f"medst_jax[tpu] @ file://$HOME/{name}" in shlex.split(script) and "tar" not in script
