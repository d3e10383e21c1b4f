# SPDX-License-Identifier: Apache-2.0
import pytest

from medst_jax.data.mixture.exclusion import read_exclusion
from medst_jax.data.records.studies import open_studies


def test_all_lists_are_found_and_train_patients_are_not_in_them(data_dir):
    exclusion = read_exclusion(data_dir, "all")
    assert list(exclusion.lists) == ["labelled", "reports"]  # ward has no evaluation split
    for split, excluded in (("train", False), ("test", True)):
        index = open_studies(data_dir, "reports", split).index
        assert (exclusion.contains(index, "reports") == excluded).all()


def test_named_lists_and_none(data_dir):
    assert list(read_exclusion(data_dir, ("reports",)).lists) == ["reports"]
    index = open_studies(data_dir, "reports", "test").index
    assert not read_exclusion(data_dir, ()).contains(index, "reports").any()
    with pytest.raises(FileNotFoundError, match="'ward'.*labelled, reports"):
        read_exclusion(data_dir, ("ward",))


def test_builds_in_progress_are_not_read(data_dir, tmp_path):
    folder = tmp_path / "x" / "studies"
    for version in ("2.0.0.incomplete", "2.0.0.old"):
        (folder / version).mkdir(parents=True)
        (folder / version / "exclude.json").write_text("{}")
    assert not read_exclusion(tmp_path, "all").lists
    assert not read_exclusion(tmp_path / "absent", "all").lists
