# SPDX-License-Identifier: Apache-2.0
"""Prepared data name the module that wrote them; nothing imports it to read them."""

import json

import tensorflow_datasets as tfds

from medst_jax.data.records.studies import dataset_dir, open_studies
from medst_jax.data_pipelines.fixture import write_fixture


def test_data_written_by_a_module_that_is_gone_stay_readable(tmp_path) -> None:
    write_fixture(tmp_path, patients=3, size=32)
    folder = dataset_dir(tmp_path, "fixture")
    file = folder / "dataset_info.json"
    info = json.loads(file.read_text())
    assert "moduleName" in info
    (folder / "manifest.json").unlink()  # as in data of before there were any
    file.write_text(json.dumps({**info, "moduleName": "data_pipelines.gone"}))
    count = len(open_studies(tmp_path, "fixture", "train"))
    rows = tfds.builder_from_directory(str(folder)).as_data_source(split="train")
    assert count == len(rows) > 0
