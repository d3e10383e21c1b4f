# SPDX-License-Identifier: Apache-2.0
"""The documents: links lead somewhere, commands have the flags they are shown with, code runs."""

import importlib.util
import json
import pathlib
import re
import runpy
import shlex

import cv2
import jax.numpy as jnp
import numpy as np
import pytest

import medst_jax
from docs_site.command_flags import flags_in
from medst_jax import cli, systems
from tests.models.weights import public_files

ROOT = pathlib.Path(__file__).parents[1]
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("docs/tutorials/*.md"),
        ROOT / "docs" / "recipes" / "README.md",
    ]
)
_LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")
_BLOCK = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
_FLAG = re.compile(r"DEFINE_\w+\(\s*\"(\w+)\"|DEFINE_alias\(\s*\"(\w+)\"")


def named(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_links_lead_somewhere(document):
    for target, _ in _LINK.findall(document.read_text()):
        if "://" not in target and not target.startswith("mailto:"):
            assert (document.parent / target).exists(), f"{named(document)} links to {target}"


def test_the_front_page_is_short_and_names_every_system():
    text = (ROOT / "README.md").read_text()
    assert len(text.encode()) <= 8192
    configs = set(re.findall(r"`(\w+)`", text))
    for name in systems.available():
        config = {"siglip": "siglip_b16", "cxr_bert_language": "cxr_bert"}.get(name, name)
        assert config in configs, f"README.md has no row of {name}"
        assert (ROOT / "configs" / f"{config}.py").exists()
    index = (ROOT / "docs" / "README.md").read_text()
    for page in ROOT.glob("docs/*.md"):
        assert page.name == "README.md" or page.name in index, f"docs/README.md lacks {page.name}"


def commands(text):
    """(command, words) of every line of a code block that runs one."""
    for language, block in _BLOCK.findall(text):
        lines = [] if language == "python" else block.replace("\\\n", " ").splitlines()
        for line in lines:
            words = shlex.split(line.partition(" #")[0]) if "'" not in line else line.split()
            words = [word for word in words if "=" not in word or word.startswith("-")]
            if words[:1] == ["medst"] and len(words) > 1 and words[1] in cli.COMMANDS:
                yield words[1].replace("-", "_"), words[2:]
            elif words[:1] == ["python"] and len(words) > 1 and words[1].startswith("launch/"):
                file = pathlib.Path(words[1])
                if file.parent.name == "launch":
                    yield file.stem, words[2:]


def flags_of(command):
    """Names of the flags that a command defines, in its own file or where it reads them."""
    text = (ROOT / "launch" / f"{command}.py").read_text()
    files = [ROOT / "launch" / f"{command}.py", *ROOT.glob("launch/parts/*.py")]
    if command == "benchmark":
        files += ROOT.glob("benchmarks/*.py")
    names = {a or b for file in files for a, b in _FLAG.findall(file.read_text())}
    # Files of configurations have a way of their own to be flags.
    return names | {name for name in ("config", "suite") if f'"{name}"' in text}


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_commands_have_the_flags_they_are_shown_with(document):
    for command, words in commands(document.read_text()):
        known = flags_of(command)
        for word in words:
            if word.startswith("--"):
                name = word[2:].partition("=")[0].partition(".")[0]
                plain = name.removeprefix("no")
                assert name in known or plain in known, (
                    f"{named(document)}: {command} has no --{name}"
                )


def shell_lines(text):
    """The words of every line of a code block that is not of another language."""
    for language, block in _BLOCK.findall(text):
        if language in ("", "sh", "bash", "shell"):
            for line in block.replace("\\\n", " ").splitlines():
                words = line.partition(" #")[0].split()
                while words and re.match(r"[A-Z_]+=", words[0]):  # of the environment
                    words = words[1:]
                yield words


def test_lines_of_the_shell_are_read_with_their_environment():
    words = list(shell_lines("```\nA=1 medst x \\\n --y  # why\n```\n```python\nz\n```\n"))
    assert words == [["medst", "x", "--y"]]


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_programs_that_are_run_exist(document):
    makefile = (ROOT / "Makefile").read_text()
    for words in shell_lines(document.read_text()):
        program, first, second = (*words, "", "", "")[:3]
        if program == "medst" and first != "--version":
            assert first in (*cli.COMMANDS, "pod"), f"{named(document)}: medst {first}"
        elif program == "make" and re.fullmatch(r"[a-z-]+", first):
            assert re.search(rf"(?m)^{first}:", makefile), f"{named(document)}: make {first}"
        elif program == "python" and first == "-m":
            top = second.partition(".")[0]
            if (ROOT / top).is_dir():
                assert importlib.util.find_spec(second), f"{named(document)}: python -m {second}"
        elif program == "python" and first.endswith(".py") and (ROOT / first).parent.is_dir():
            assert (ROOT / first).exists(), f"{named(document)}: python {first}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_choices_are_among_those_that_a_flag_has(document):
    for command, words in commands(document.read_text()):
        choices = {f.name: f.values for f in flags_in(ROOT / "launch" / f"{command}.py")}
        for word in words:
            name, _, value = word.removeprefix("--").partition("=")
            # Capitals and dots stand for what the reader puts there.
            if choices.get(name) and re.fullmatch(r"[a-z][a-z0-9_]*", value):
                assert value in choices[name], f"{named(document)}: {command} --{name}={value}"


def test_the_system_of_the_tutorial_adds_its_term(tmp_path):
    page = (ROOT / "docs" / "tutorials" / "add_a_system.md").read_text()
    (tmp_path / "closer.py").write_text(dict(_BLOCK.findall(page))["python"])
    runpy.run_path(str(tmp_path / "closer.py"))
    small = dict(
        image=dict(name="resnet_small", widths=(4, 4, 4, 4), stem_width=4),
        text=dict(name="bert_small", width=8, heads=2, mlp=8),
        preprocess=dict(size=16, channels=1, mean=0.5, std=0.5),
        joint=8,
        vocabulary_size=20,
    )
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2, 3, 8)).astype(np.float32)
    image, text = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    batch = dict(study=np.arange(3), text=np.arange(3), text_source=np.array([1, 1, 0]))
    batch["has_frontal"] = np.ones(3, bool)
    encoded = {"image": jnp.asarray(image), "text": jnp.asarray(text)}
    batch = {key: jnp.asarray(value) for key, value in batch.items()}
    plain, _ = systems.build("clip", **small).objective(encoded, batch)
    loss, _ = systems.build("closer", **small, pull=0.5).objective(encoded, batch)
    added = 0.5 * (1 - (image * text).sum(-1))[:2].mean()
    np.testing.assert_allclose(loss - plain, added, rtol=1e-4)


def test_the_lines_of_python_on_the_front_page_run(tmp_path, monkeypatch):
    folder = public_files.write(tmp_path / "encoder", *public_files.dinov2())
    processor = {"image_mean": [0.5] * 3, "image_std": [0.2] * 3, "resample": 3}
    processor |= {"size": {"shortest_edge": 18}, "crop_size": 12, "do_center_crop": True}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    for name in ("a.png", "b.png"):
        grey = np.random.default_rng(len(name)).integers(0, 256, (20, 30), np.uint8)
        cv2.imwrite(str(tmp_path / name), grey)
    code = dict(_BLOCK.findall((ROOT / "README.md").read_text()))["python"]
    code = code.replace("hf-hub:microsoft/rad-dino", str(folder)).replace("b.dcm", "b.png")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lines.py").write_text(code)
    names = runpy.run_path(str(tmp_path / "lines.py"))
    assert names["medst_jax"] is medst_jax
    assert names["features"].shape[0] == 2
