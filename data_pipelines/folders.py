# SPDX-License-Identifier: Apache-2.0
"""Putting a finished folder in the place of an earlier one."""

import shutil

from etils import epath


def replace_folder(fresh: epath.Path, directory: epath.Path) -> None:
    """Renames `fresh` to `directory`; the old folder stays readable until that moment."""
    old = directory.parent / f"{directory.name}.old"
    shutil.rmtree(old, ignore_errors=True)
    if directory.exists():
        directory.rename(old)
    fresh.rename(directory)
    shutil.rmtree(old, ignore_errors=True)
