# SPDX-License-Identifier: Apache-2.0
"""A build of an image table knows how many studies it has to write, so that it tells the time left."""

from medst_jax.data_pipelines.image_table import ImageTable
from medst_jax.data_pipelines.raw import CountedSource
from tests.data_pipelines.tables import build_table, rows, write_table


def test_the_bar_has_a_total(tmp_path, capsys):
    folder = write_table(tmp_path / "in", [*rows(4), *rows(6, study_id="one")[4:]])
    table = ImageTable(str(folder), name="mine")
    assert isinstance(table, CountedSource)
    # Two rows of one study id are of two patients: two studies.
    assert sum(table.studies_in(unit) for unit in table.units()) == 6
    result = build_table(folder, tmp_path / "data")
    assert result.info["splits"]["train"]["studies"] == 6
    assert "6/6 [" in capsys.readouterr().err
