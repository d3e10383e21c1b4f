# SPDX-License-Identifier: Apache-2.0
"""The output folder: written beside its place, verified, then moved there."""

import contextlib
from collections.abc import Iterator

from etils import epath

from medst_jax.export.errors import ExportError
from medst_jax.files.reading import DamagedDataError, read_json
from medst_jax.files.writing import is_remote, replace_folder

CONFIG = "config.json"
MARK = "medst_jax_export"  # key of config.json by which an earlier export is recognised


@contextlib.contextmanager
def staged(output: epath.PathLike) -> Iterator[epath.Path]:
    """A fresh folder that becomes `output` when the block ends well, and vanishes otherwise.

    Raises:
      ExportError: `output` holds something other than an earlier export, which is replaced.
    """
    target = epath.Path(output)
    _check_replaceable(target)
    temporary = target.with_name(f".{target.name}.tmp")
    if temporary.exists():
        temporary.rmtree()
    temporary.mkdir(parents=True)
    try:
        yield temporary
    except BaseException:
        temporary.rmtree()
        raise
    if is_remote(target):
        if target.exists():
            target.rmtree()
        temporary.rename(target)
    else:
        # Hidden, for a folder NAME.old here may be the user's.
        replace_folder(temporary, target, target.with_name(f".{target.name}.old"))


def _check_replaceable(target: epath.Path) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise ExportError(f"{target} is a file; --output must be a folder")
    if not any(target.iterdir()):
        return
    config = target / CONFIG
    try:
        earlier = config.exists() and MARK in read_json(config, "")
    except DamagedDataError:
        earlier = False
    if not earlier:
        raise ExportError(
            f"{target} is not empty and not an earlier export; choose another --output or "
            "empty it first"
        )
