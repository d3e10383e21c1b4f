# SPDX-License-Identifier: Apache-2.0
"""The one reader of JSON, arrays and text: what it cannot read it refuses in one line.

A file may be cut short, empty, of another kind, not UTF-8, nested without end, or a link to itself.
Each gives a `DamagedDataError` that names the file, what is wrong with it, and the remedy of the
caller. A file that is not there is a `FileNotFoundError`, which callers answer in their own words.
"""

import contextlib
import errno
import gzip
import io
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np
from etils import epath

T = TypeVar("T")

# What a field must be: a type or types, [type] for a list of them, {type} for an object of them.
Kind = type | tuple[type, ...] | list[type] | set[type]

_NAMES: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a text",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}


class DamagedDataError(OSError):
    """A file that is cut short, missing or holds something else; names it and the remedy."""


def read_bytes(path: epath.PathLike, remedy: str) -> bytes:
    """The bytes of a file.

    Args:
      path: the file.
      remedy: what the user can do, as the end of a sentence: "write it again with ...".

    Raises:
      FileNotFoundError: there is none.
      DamagedDataError: it is a folder or a link to itself, or the disk does not give its bytes.
      PermissionError: it may not be read.
    """
    try:
        return epath.Path(path).read_bytes()
    except (FileNotFoundError, PermissionError):
        raise
    except OSError as error:
        words = {errno.EISDIR: "is a folder", errno.ELOOP: "is a link to itself"}
        what = words.get(error.errno or 0, f"cannot be read ({error.strerror or error})")
        raise DamagedDataError(f"{path} {what}: {remedy}") from error


def read_text(path: epath.PathLike, remedy: str) -> str:
    """The text of a file in UTF-8; raises as `read_bytes`, and for other encodings."""
    data = read_bytes(path, remedy)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise DamagedDataError(f"{path} is not UTF-8 at byte {error.start}: {remedy}") from error


def read_json(
    path: epath.PathLike, remedy: str, kind: Kind = dict, fields: Mapping[str, Kind] | None = None
) -> Any:
    """The value of a JSON file.

    Args:
      path: the file.
      remedy: see `read_bytes`.
      kind: of the value.
      fields: of an object, those that must be there, with their kinds.

    Raises:
      FileNotFoundError: there is no such file.
      DamagedDataError: it is empty, not JSON, or holds another kind of value.
    """
    return parse_json(read_bytes(path, remedy), path, remedy, kind, fields)


def parse_json(
    data: bytes | str,
    where: epath.PathLike,
    remedy: str,
    kind: Kind = dict,
    fields: Mapping[str, Kind] | None = None,
) -> Any:
    """As `read_json`, of bytes that were read already; `where` names them in messages."""
    if not data.strip():
        raise DamagedDataError(f"{where} is empty: {remedy}")
    try:
        # A mark of the byte order is left out; other encodings than UTF-8 are refused.
        value = json.loads(data.decode("utf-8-sig") if isinstance(data, bytes) else data)
    except UnicodeDecodeError as error:
        raise DamagedDataError(f"{where} is not UTF-8 at byte {error.start}: {remedy}") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise DamagedDataError(
            f"{where} is not JSON, or cut short ({error.msg}, {place}): {remedy}"
        ) from error
    except RecursionError as error:
        raise DamagedDataError(f"{where} is nested too deeply: {remedy}") from error
    except ValueError as error:
        raise DamagedDataError(f"{where} holds a value that is none ({error}): {remedy}") from error
    check_kind(value, kind, f"{where}", remedy)
    for name, wanted in (fields or {}).items():
        if name not in value:
            raise DamagedDataError(f"{where} has no {name!r}: {remedy}")
        check_kind(value[name], wanted, f"{where}, {name!r}", remedy)
    return value


def check_kind(value: Any, kind: Kind, where: str, remedy: str) -> None:
    """Check a value of JSON against a kind.

    Raises:
      DamagedDataError: names the place, the kind it has and the kind it must have.
    """
    members: Iterable[Any] = ()
    types: tuple[type, ...]
    if isinstance(kind, list):
        types, members = (list,), value if isinstance(value, list) else ()
    elif isinstance(kind, set):
        types, members = (dict,), value.values() if isinstance(value, dict) else ()
    else:
        types = kind if isinstance(kind, tuple) else (kind,)
    # True is an int of Python, and no number of JSON.
    fits = isinstance(value, types) and (bool in types or not isinstance(value, bool))
    if not fits:
        wanted = " or ".join(dict.fromkeys(_NAMES.get(one, one.__name__) for one in types))
        given = _NAMES.get(type(value), type(value).__name__)
        raise DamagedDataError(f"{where} holds {given} instead of {wanted}: {remedy}")
    for inner in kind if isinstance(kind, list | set) else ():
        for member in members:
            check_kind(member, inner, where, remedy)


def read_json_lines(path: epath.PathLike, remedy: str, kind: Kind = dict) -> list[Any]:
    """The value of each line of a file of JSON lines; raises as `read_json`."""
    lines = read_text(path, remedy).split("\n")
    return [
        parse_json(line, f"{path}, line {number}", remedy, kind)
        for number, line in enumerate(lines, 1)
        if line
    ]


def read_arrays(
    path: epath.PathLike, remedy: str, names: Collection[str] = ()
) -> dict[str, np.ndarray]:
    """The arrays of an `.npz`, without pickled objects.

    Args:
      path: the file.
      remedy: see `read_bytes`.
      names: arrays that must be there.

    Raises:
      FileNotFoundError: there is no such file.
      DamagedDataError: it is no `.npz`, is cut short, or lacks an array.
    """
    data = read_bytes(path, remedy)

    def parse() -> dict[str, np.ndarray]:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}

    arrays = parsed(parse, path, "arrays (.npz)", remedy)
    if missing := [name for name in names if name not in arrays]:
        raise DamagedDataError(f"{path} has no array {', '.join(missing)}: {remedy}")
    return arrays


def read_gzip(path: epath.PathLike, remedy: str) -> bytes:
    """The bytes that a gzip file holds; raises as `read_bytes`, and for other files."""
    data = read_bytes(path, remedy)
    return parsed(lambda: gzip.decompress(data), path, "gzip", remedy)


def parsed(read: Callable[[], T], path: epath.PathLike, what: str, remedy: str) -> T:
    """What `read` makes of a file in a format that another library reads.

    Raises:
      DamagedDataError: it raised, whatever it was; a message of several lines gives its first.
    """
    with reading(path, what, remedy):
        return read()


@contextlib.contextmanager
def reading(path: epath.PathLike, what: str, remedy: str) -> Iterator[None]:
    """Where bytes of `path` become `what`; errors of that are a `DamagedDataError` of the file.

    What this project itself raises there, and errors of the disk, stay what they are.
    """
    try:
        yield
    except OSError as error:
        # The readers of archives raise it for bad bytes; one of the disk has a number.
        if _own(error) or error.errno is not None:
            raise
        raise _unreadable(path, what, remedy, error) from error
    except Exception as error:
        if _own(error):
            raise
        raise _unreadable(path, what, remedy, error) from error
    except BaseException as error:
        # What a library in Rust raises where it gives up on bytes.
        if type(error).__name__ != "PanicException":
            raise
        raise _unreadable(path, what, remedy, error) from error


def _own(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] == __name__.partition(".")[0]


def _unreadable(
    path: epath.PathLike, what: str, remedy: str, error: BaseException
) -> DamagedDataError:
    lines = str(error).strip().splitlines()
    said = f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
    return DamagedDataError(f"{path} does not hold {what}, or is cut short ({said}): {remedy}")
