# SPDX-License-Identifier: Apache-2.0
"""What the trainings of a check read is asked of the data before the first of them."""

import pathlib

import pytest

from medst_jax.data.records.studies import MissingDataError
from medst_jax.data_pipelines.build import BuildOptions, build
from medst_jax.data_pipelines.run_banks import Runner
from medst_jax.options import OptionError
from medst_jax.reality_check.cells import Cell
from medst_jax.reality_check.preparation import check_cells
from tests.data.conftest import Ward
from tests.reality_check.stand_ins import M

CODES = ((1, 0), (0, 1), (1, 1), (0, 0), (1, 0), (0, 1))


@pytest.mark.parametrize("config", ["edema_vae", "image_only"])
def test_entries_with_names_of_their_own_read_their_data_set(config: str, tmp_path: pathlib.Path):
    cells = [Cell(name="one", config=config, sites=(M,))]
    with pytest.raises(MissingDataError, match=f"data set '{M}' is not in"):
        check_cells(cells, "smoke", str(tmp_path))
    build(Ward(M, CODES), tmp_path, BuildOptions(runner=Runner(workers=1)))
    check_cells(cells, "smoke", str(tmp_path))


def test_what_the_data_lack_is_said_before_the_first_training(tmp_path: pathlib.Path):
    build(Ward(M, CODES), tmp_path, BuildOptions(runner=Runner(workers=1)))
    with pytest.raises(OptionError, match="entities"):
        check_cells([Cell(name="one", config="kad", sites=(M,))], "smoke", str(tmp_path))
