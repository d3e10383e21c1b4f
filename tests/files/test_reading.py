# SPDX-License-Identifier: Apache-2.0
"""Files that cannot be read are refused in one line, with the file and the remedy."""

import gzip
import io

import numpy as np
import pytest

from medst_jax.files.reading import (
    DamagedDataError,
    read_arrays,
    read_bytes,
    read_gzip,
    read_json,
    read_json_lines,
    read_text,
)

REMEDY = "write it again"


def refused(read, path, words, *more):
    with pytest.raises(DamagedDataError) as raised:
        read(path, REMEDY, *more)
    text = str(raised.value)
    assert text.startswith(str(path)) and text.endswith(REMEDY), text
    assert words in text and "\n" not in text
    return text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b'{"a": 1', "is not JSON, or cut short"),
        (b'{"a": \xff}', "is not UTF-8 at byte 6"),
        (b"\x00" * 50, "is not JSON"),
        (b"[" * 200_000, "is nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "holds a value that is none"),
        (b"[1]", "holds a list instead of an object"),
        (b"null", "holds null instead of an object"),
        (b'{"a": true, "b": []}', "'a' holds true or false instead of a number"),
        (b'{"a": 1, "b": {}}', "'b' holds an object instead of a list"),
        (b'{"a": 1, "b": [1]}', "'b' holds a number instead of a text"),
        (b'{"a": 1}', "has no 'b'"),
    ],
)
def test_json(tmp_path, content, words):
    path = tmp_path / "f.json"
    path.write_bytes(content)
    refused(read_json, path, words, dict, {"a": int, "b": [str]})
    path.write_text('{"a": 1, "b": ["x"]}')
    assert read_json(path, REMEDY, fields={"a": int, "b": [str]}) == {"a": 1, "b": ["x"]}


def test_lines(tmp_path):
    path = tmp_path / "f.jsonl"
    path.write_text('{"a": 1}\n{"a"')
    with pytest.raises(DamagedDataError, match=r"f.jsonl, line 2 is not JSON"):
        read_json_lines(path, REMEDY)
    path.write_text('{"a": 1}\n{"a": 2}\n')
    assert read_json_lines(path, REMEDY) == [{"a": 1}, {"a": 2}]


def test_what_is_no_file(tmp_path):
    refused(read_bytes, tmp_path, "is a folder")
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    refused(read_bytes, loop, "is a link to itself")
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "absent", REMEDY)


def test_arrays(tmp_path):
    path = tmp_path / "f.npz"
    buffer = io.BytesIO()
    np.savez(buffer, a=np.arange(50), b=np.zeros(3))
    whole = buffer.getvalue()
    objects = io.BytesIO()
    np.savez(objects, a=np.array([{}], object), allow_pickle=True)
    flipped = bytearray(whole)
    flipped[200] ^= 255
    for content in (b"", whole[:100], whole[:-10], b"PK\x03\x04" + b"x" * 40, objects.getvalue()):
        path.write_bytes(content)
        refused(read_arrays, path, "does not hold arrays")
    path.write_bytes(flipped)
    refused(read_arrays, path, "does not hold arrays")
    path.write_bytes(whole)
    refused(read_arrays, path, "has no array c", ("a", "c"))
    assert read_arrays(path, REMEDY)["a"].tolist() == list(range(50))


def test_gzip_and_text(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(gzip.compress(b"words")[:-3])
    refused(read_gzip, path, "does not hold gzip")
    path.write_bytes(b"\xfe\xff")
    refused(read_text, path, "is not UTF-8 at byte 0")
    refused(read_gzip, path, "does not hold gzip")
    path.write_bytes(gzip.compress(b"words"))
    assert read_gzip(path, REMEDY) == b"words"
