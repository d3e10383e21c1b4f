# SPDX-License-Identifier: Apache-2.0
"""Where the files of a release lie that people unpack in different ways."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence

from etils import epath


class FileLocator:
    """Finds files by the part of their path that every copy of a release shares.

    folders: below the source folder, "" for itself. suffixes: of the files; those named first
    are preferred.
    """

    def __init__(
        self, source_dir: epath.PathLike, folders: Sequence[str], suffixes: Sequence[str]
    ) -> None:
        self._root = os.fspath(source_dir)
        self._first = f"{next(iter(folders), '')}/{{}}{suffixes[0]}".lstrip("/")
        pairs = itertools.product(suffixes, folders)
        self._layouts = [f"{folder}/{{}}{suffix}".lstrip("/") for suffix, folder in pairs]

    def find(self, stem: str) -> str:
        """Path below the source folder of a file; where it should lie when it is not there."""
        for place, layout in enumerate(self._layouts):
            path = layout.format(stem)
            if os.path.exists(os.path.join(self._root, path)):
                # Most files lie as the one before: the next look is the only one.
                self._layouts.insert(0, self._layouts.pop(place))
                return path
        return self._first.format(stem)


def folders_with(source_dir: epath.PathLike, names: Sequence[str], depth: int) -> list[str]:
    """Folders, at most `depth` below the source folder, that hold one of the folders `names`.

    Paths are relative, "" for the source folder itself; the folders named are not looked into.
    """
    tree = _walk(source_dir, names, depth)
    return [folder for folder, inside in tree if set(names) & set(inside)]


def all_folders(source_dir: epath.PathLike, depth: int) -> list[str]:
    """The source folder, "", and those at most `depth` below it, the nearest first."""
    return [folder for folder, _ in _walk(source_dir, (), depth)]


def _walk(
    source_dir: epath.PathLike, closed: Sequence[str], depth: int
) -> Iterator[tuple[str, list[str]]]:
    level = [""]
    for _ in range(depth + 1):
        below: list[str] = []
        for folder in level:
            inside = _subfolders(os.path.join(os.fspath(source_dir), folder))
            yield folder, inside
            below += [f"{folder}/{name}".lstrip("/") for name in inside if name not in closed]
        level = below


def _subfolders(folder: str) -> list[str]:
    if not os.path.isdir(folder):
        return []
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir())
