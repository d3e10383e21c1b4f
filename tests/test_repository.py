# SPDX-License-Identifier: Apache-2.0
"""What surrounds the code: the workflow, the forms of issues, the release, the account of tests."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
STUB = '#!/bin/sh\nmkdir -p dist && echo "$@" > dist/medst_jax-0.2.0-py3-none-any.whl\n'
CHANGELOG = """# Changelog

## 0.2.0 (2030-01-01)

- `train`: # one line
- `data`: another

## 0.1.0

- `docs`: the first
"""


def test_the_workflow_runs_what_anybody_can_run():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    steps = [step.get("run") for step in workflow["jobs"]["run"]["steps"]]
    assert "bash .ci/run" in steps and (ROOT / ".ci/run").is_file()
    assert workflow["permissions"] == {"contents": "read"}
    pythons = {path.stem.removeprefix("constraints-") for path in ROOT.glob("constraints-*.txt")}
    (asked,) = [
        s["with"]["python-version"] for s in workflow["jobs"]["run"]["steps"] if "with" in s
    ]
    assert asked in pythons


def test_forms_and_updates_are_what_they_must_be():
    for file in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"):
        form = yaml.safe_load(file.read_text())
        if file.stem == "config":
            continue
        assert {"name", "description", "body"} <= form.keys()
        kinds = {"markdown", "textarea", "input"}
        assert all(field["type"] in kinds for field in form["body"])
        named = [field["id"] for field in form["body"] if field["type"] != "markdown"]
        assert len(named) == len(set(named)) >= 3
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())
    assert updates["version"] == 2
    assert {u["package-ecosystem"] for u in updates["updates"]} >= {"github-actions", "pip"}


def test_contributing_names_every_room_of_tests():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rooms = {p.name for p in (ROOT / "tests").iterdir() if p.is_dir() and p.name[0] not in "_."}
    named = set(re.findall(r"`tests/(\w+)`", text))
    assert named == rooms


@pytest.fixture
def release(tmp_path):
    """Runs the release in a small repository of version 0.2.0."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/release", tmp_path / ".ci/release")
    (tmp_path / "medst_jax").mkdir()
    (tmp_path / "medst_jax/__init__.py").write_text('__version__ = "0.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    (tmp_path / ".gitignore").write_text("dist\nstub\n")
    (tmp_path / "stub").write_text(STUB)
    (tmp_path / "stub").chmod(0o755)
    who = {
        f"GIT_{role}_{part}": "t@t"
        for role in ("AUTHOR", "COMMITTER")
        for part in ("NAME", "EMAIL")
    }
    environment = {**os.environ, **who, "PYTHON": str(tmp_path / "stub")}

    def run(*command):
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "one")):
        assert run("git", *words).returncode == 0
    return lambda *words: run(*(words if words[0] == "git" else ("bash", ".ci/release", *words)))


def test_a_release_is_a_tag_with_its_notes_and_a_wheel(release):
    shown = release("0.2.0", "--dry_run")
    assert shown.returncode == 0 and "another" in shown.stdout and "first" not in shown.stdout
    done = release("0.2.0")
    assert done.returncode == 0, done.stderr
    assert "dist/medst_jax-0.2.0-py3-none-any.whl and tag v0.2.0" in done.stdout
    message = release("git", "tag", "-l", "--format=%(contents)", "v0.2.0").stdout
    assert "- `train`: # one line\n- `data`: another" in message and "first" not in message
    assert "there is a tag v0.2.0 already" in release("0.2.0").stderr


def test_a_release_that_is_not_ready_says_why(release, tmp_path):
    assert "is no version" in release("next").stderr
    assert "another __version__" in release("0.3.0").stderr
    (tmp_path / "CHANGELOG.md").write_text("## Unreleased (0.2.0)\n\n- one\n")
    assert "no section '## 0.2.0'" in release("0.2.0").stderr
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG + "\n")
    assert "commit first" in release("0.2.0").stderr
