# SPDX-License-Identifier: Apache-2.0
"""The text of a report file."""

from __future__ import annotations

from medst_jax.data_pipelines.cells import CellError

_MAX_BYTES = 1 << 20  # the longest real reports have some ten thousand


def decode(data: bytes) -> str:
    """The text of a file.

    Raises:
      CellError: not UTF-8 text, or far longer than a report.
    """
    if len(data) > _MAX_BYTES:
        raise CellError("report is longer than a megabyte")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CellError("report is not UTF-8") from error
    if "\0" in text:
        raise CellError("report is a binary file")
    return text
