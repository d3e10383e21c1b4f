# SPDX-License-Identifier: Apache-2.0
"""Files and folders appear whole; what a kill leaves between two renames is finished."""

import pytest
from etils import epath

from medst_jax.files.writing import (
    fresh_folder,
    interrupted,
    replace_folder,
    settle_folder,
    write_atomic,
)


def filled(directory, text):
    fresh = fresh_folder(directory)
    (fresh / "last").write_text(text)
    return fresh


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "f"
    write_atomic(path, "old", durable=True)
    with pytest.raises(OSError, match=r"cannot write .*f\.d/g"):
        write_atomic(tmp_path / "f.d" / "g", "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["f"]


def test_folders_are_replaced_as_a_whole(tmp_path):
    directory = epath.Path(tmp_path) / "data"
    for text in ("one", "two"):
        replace_folder(filled(directory, text), directory)
        assert (directory / "last").read_text() == text
        assert [entry.name for entry in tmp_path.iterdir()] == ["data"]


class Kill(BaseException):
    """In place of a signal."""


@pytest.mark.parametrize("fatal", range(1, 4))
def test_a_kill_at_any_rename_leaves_a_whole_folder(tmp_path, monkeypatch, fatal):
    directory = epath.Path(tmp_path) / "data"
    replace_folder(filled(directory, "one"), directory)
    fresh, done, rename = filled(directory, "two"), [], type(directory).rename

    def renamed(self, target):
        done.append(target)
        if len(done) == fatal:
            raise Kill
        return rename(self, target)

    monkeypatch.setattr(type(directory), "rename", renamed)
    try:
        replace_folder(fresh, directory)
    except Kill:
        assert interrupted(directory, "last") == (fatal == 2)
    monkeypatch.undo()
    settle_folder(directory, "last")
    assert (directory / "last").read_text() == ("two" if fatal == 3 else "one")
    replace_folder(filled(directory, "three"), directory)
    assert (directory / "last").read_text() == "three"


def test_a_first_folder_takes_its_name_once_it_is_whole(tmp_path):
    directory = epath.Path(tmp_path) / "data"
    fresh = fresh_folder(directory)
    settle_folder(directory, "last")
    assert not directory.exists() and not interrupted(directory, "last")
    (fresh / "last").write_text("one")
    assert interrupted(directory, "last")
    settle_folder(directory, "last")
    assert (directory / "last").read_text() == "one"
