# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from medst_jax.data.mixture.exclusion import read_exclusion
from medst_jax.data.records.studies import open_studies


def test_all_lists_are_found_and_train_patients_are_not_in_them(data_dir):
    exclusion = read_exclusion(data_dir, "all")
    assert list(exclusion.lists) == ["labelled", "reports"]  # ward has no evaluation split
    for split, excluded in (("train", False), ("test", True)):
        keys = open_studies(data_dir, "reports", split).index.patient_key
        assert (exclusion.contains(keys) == excluded).all()


def test_named_lists_and_none(data_dir):
    assert list(read_exclusion(data_dir, ("reports",)).lists) == ["reports"]
    assert not read_exclusion(data_dir, ()).contains(np.array([1], np.uint64)).any()
    with pytest.raises(FileNotFoundError, match="'ward'.*labelled, reports"):
        read_exclusion(data_dir, ("ward",))


def test_builds_in_progress_are_not_read(data_dir, tmp_path):
    folder = tmp_path / "x" / "studies"
    for version in ("1.0.0.incomplete", "1.0.0.old"):
        (folder / version).mkdir(parents=True)
        (folder / version / "exclude.json").write_text("{}")
    assert not read_exclusion(tmp_path, "all").lists
    assert not read_exclusion(tmp_path / "absent", "all").lists
