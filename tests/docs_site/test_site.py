# SPDX-License-Identifier: Apache-2.0
"""The documents build into a site in which every link and anchor leads somewhere."""

import os
import subprocess
import sys

import pytest

from medst_jax import losses
from tests.parallel.together import ROOT

pytest.importorskip("material", reason="needs the extra docs: pip install -e .[docs]")
ENVIRONMENT = {**os.environ, "JAX_PLATFORMS": "cpu", "NO_MKDOCS_2_WARNING": "1"}


def build(config, site):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    command += ["--config-file", str(config), "--site-dir", str(site)]
    return subprocess.run(
        command, check=False, env=ENVIRONMENT, cwd=ROOT, text=True, capture_output=True
    )


def test_the_site_builds_without_a_warning(tmp_path):
    result = build(ROOT / "mkdocs.yml", tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "index.html").exists()
    names = (tmp_path / "reference" / "api" / "losses" / "index.html").read_text()
    assert all(f"{name}(" in names for name in losses.__all__)


@pytest.mark.parametrize("link", ["nowhere.md", "README.md#nowhere"])
def test_a_link_to_nowhere_is_an_error(link, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "README.md").write_text(f"# A page\n\n[a link]({link})\n")
    text = (ROOT / "mkdocs.yml").read_text().partition("nav:\n")[0]
    hooks = "hooks:\n  - docs_site/hooks.py\n"
    assert hooks in text
    (tmp_path / "mkdocs.yml").write_text(text.replace(hooks, ""))
    result = build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert result.returncode != 0
    assert "nowhere" in result.stderr
