# SPDX-License-Identifier: Apache-2.0
"""This code in one file, for the workers: a clone's commit, or the installed package as a wheel."""

import base64
import hashlib
import importlib.metadata
import pathlib
import subprocess
import zipfile

from medst_jax.command_line import clone
from medst_jax.commands.pod.slice import PodError

_OF_THE_INSTALLER = ("INSTALLER", "RECORD", "REQUESTED", "direct_url.json")


def archive_name() -> str:
    """File name of what `pack` writes: an archive of the repository, or a wheel."""
    if clone():
        return "medst_jax.tar.gz"
    return f"medst_jax-{importlib.metadata.version('medst_jax')}-py3-none-any.whl"


def pack(archive: pathlib.Path) -> None:
    """Write the code to `archive`.

    Raises:
      PodError: a clone without a commit, or without git.
    """
    root = clone()
    if root is None:
        _wheel(archive)
        return
    command = ["git", "-C", str(root), "archive", "--format=tar.gz", f"--output={archive}", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PodError(f"the repository cannot be packed: {done.stderr.strip()}")


def _wheel(target: pathlib.Path) -> None:
    """The wheel that this package was installed from, without what the installer added."""
    record = []
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path in importlib.metadata.files("medst_jax") or ():
            if path.parts[0] == ".." or "__pycache__" in path.parts:
                continue
            if path.name in _OF_THE_INSTALLER and path.parts[0].endswith(".dist-info"):
                continue
            data = path.read_binary()
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
            record.append(f"{path},sha256={digest},{len(data)}")
            wheel.writestr(str(path), data)
            if path.name == "METADATA":
                folder = path.parts[0]
        record.append(f"{folder}/RECORD,,")
        wheel.writestr(f"{folder}/RECORD", "\n".join(record) + "\n")
