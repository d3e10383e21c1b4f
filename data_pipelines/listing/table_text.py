# SPDX-License-Identifier: Apache-2.0
"""The text of a table's file and the character between its cells, found from the bytes.

Spreadsheets write semicolons where a comma is the decimal sign, tabs in UTF-16 as "Unicode text",
a byte order mark before UTF-8, and single-byte text on older systems.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Sequence

UTF8 = "UTF-8"
WINDOWS_1252 = "Windows-1252 (Latin-1)"
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8 with a byte order mark"),
    # That of UTF-32 begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
_LOOKED_AT = 4096
# Of the upper half of Windows-1252, what Western European text has beside letters.
_SIGNS = frozenset("°±²³µ·º«»“”‘’‚„–—…€£§´×÷½¼¾¹¿¡©®™•\u00a0\u00ad")
# A longer run is of an alphabet that this encoding does not have, or of two-byte characters.
_LONGEST_RUN = 3
_EXCEL_HINT = re.compile(r'"?sep=(.)"?,*')


class EncodingError(ValueError):
    """Bytes that are not text of the encoding they announce or were said to have."""


def decode(data: bytes, encoding: str = "", *, western: bool = False) -> tuple[str, str]:
    """The text, and its encoding in words.

    Args:
      data: of the file.
      encoding: as Python names it; empty to find it.
      western: whether bytes that are not UTF-8, in a file of Western European letters without any
        character of UTF-8, are read as Windows-1252.

    Returns:
      The text; bytes that are not UTF-8 stand in it as lone surrogates.

    Raises:
      EncodingError: an unknown encoding, or bytes that it cannot read.
    """
    if encoding:
        return _strict(data, encoding), encoding
    for mark, name, words in _MARKS:
        if data.startswith(mark):
            if name == "utf-8-sig":
                return data.decode(name, errors="surrogateescape"), words
            return _strict(data, name), words
    if name := _sixteen_bits(data):
        return _strict(data, name), "UTF-16 without a byte order mark"
    text = data.decode("utf-8", errors="surrogateescape")
    if western and _is_western(data, text):
        return data.decode("cp1252"), WINDOWS_1252
    return text, UTF8


def _strict(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except LookupError as error:
        raise EncodingError(f"there is no encoding {encoding!r}") from error
    except UnicodeError as error:
        place = getattr(error, "start", len(data))
        line = data[:place].count(b"\n") + 1
        raise EncodingError(f"line {line} is not {encoding}") from error


def _sixteen_bits(data: bytes) -> str:
    """The byte order of ASCII text in 16 bits, whose every second byte is 0; empty for others."""
    head = data[:_LOOKED_AT]
    halves = head[0::2], head[1::2]
    zeros = [half.count(0) / max(1, len(half)) for half in halves]
    if max(zeros) < 0.6 or min(zeros) > 0.1:
        return ""
    return "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"


def _is_western(data: bytes, text: str) -> bool:
    if text.isascii() or any(ord(c) > 127 and not "\ud800" <= c <= "\udfff" for c in text):
        return False
    if any(len(run) > _LONGEST_RUN for run in re.findall(rb"[\x80-\xff]+", data)):
        return False
    try:
        letters = {c for c in data.decode("cp1252") if ord(c) > 127}
    except UnicodeDecodeError:
        return False
    return all(c in _SIGNS or unicodedata.category(c).startswith("L") for c in letters)


def find_delimiter(lines: Sequence[str]) -> tuple[str, int]:
    """The character between cells, one of `DELIMITERS`, and the number of lines before the header.

    It is the most frequent one outside quotes in the header line, or what a first line `sep=;`
    says, which Excel writes and reads.
    """
    at = next((k for k, line in enumerate(lines) if line.strip()), 0)
    if at < len(lines) and (hint := _EXCEL_HINT.fullmatch(lines[at].rstrip(" "))):
        return hint[1], at + 1
    header = re.sub(r'"[^"]*"', "", lines[at]) if lines else ""
    return max(DELIMITERS, key=header.count), at
