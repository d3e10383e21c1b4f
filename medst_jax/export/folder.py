# SPDX-License-Identifier: Apache-2.0
"""The output folder: written beside its place, verified, then moved there."""

import contextlib
import json
from collections.abc import Iterator

from etils import epath

from medst_jax.export.errors import ExportError

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
    if target.exists():
        target.rmtree()
    temporary.rename(target)


def _check_replaceable(target: epath.Path) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise ExportError(f"{target} is a file; --output must be a folder")
    if not any(target.iterdir()):
        return
    config = target / CONFIG
    try:
        earlier = config.exists() and MARK in json.loads(config.read_text())
    except json.JSONDecodeError:
        earlier = False
    if not earlier:
        raise ExportError(
            f"{target} is not empty and not an earlier export; choose another --output or "
            "empty it first"
        )
