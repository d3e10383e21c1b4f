# SPDX-License-Identifier: Apache-2.0
"""Writes `requirements-3.11.lock`: every package of a CPU installation with the hash of its file.

    python -m experiments.lock_requirements

pip resolves under `constraints-3.11.txt`, without installing, on the machine that this runs on:
Python 3.11, Linux, x86-64. Hashes in a constraints file would break editable installs, so the lock
is a file of its own.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements-3.11.lock"
CONSTRAINTS = ROOT / "constraints-3.11.txt"
EXTRAS = "pipelines,tensorboard,test"
_HEAD = f"""# Every package of a CPU installation with the extras {EXTRAS}, by the hash of its file:
# Python 3.11, Linux, x86-64. Written by: python -m experiments.lock_requirements
#   pip install --require-hashes -r {LOCK.name}
#   pip install --no-deps -e .
"""


def main() -> None:
    if sys.version_info[:2] != (3, 11):
        raise SystemExit("error: the lock is of Python 3.11; run it by that version")
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"]
        command += ["--ignore-installed", "--report", str(report), "-c", str(CONSTRAINTS)]
        subprocess.run([*command, f"{ROOT}[{EXTRAS}]"], check=True)
        LOCK.write_text(lock_text(json.loads(report.read_text())))
    print(f"{LOCK}: {LOCK.read_text().count('--hash')} packages")


def lock_text(report: dict[str, Any]) -> str:
    """The lock's text from a report of `pip install --dry-run --report`."""
    lines = []
    for one in report["install"]:
        name, version = one["metadata"]["name"], one["metadata"]["version"]
        hashes = one["download_info"].get("archive_info", {}).get("hashes", {})
        if name == "medst_jax":  # a folder, without a hash
            continue
        lines.append(f"{name}=={version} --hash=sha256:{hashes['sha256']}")
    return _HEAD + "\n".join(sorted(lines, key=str.lower)) + "\n"


if __name__ == "__main__":
    main()
