# SPDX-License-Identifier: Apache-2.0
"""Whether the data can give what the trainings of a check read: asked before the first of them."""

import importlib
from collections.abc import Iterable

import numpy as np

from medst_jax import systems
from medst_jax.data.mixture.data_options import DataOptions
from medst_jax.data.mixture.requirements import check_requirements
from medst_jax.data.records.studies import open_studies
from medst_jax.options import parse
from medst_jax.reality_check.cells import Cell


def check_cells(cells: Iterable[Cell], variant: str, data_dir: str) -> None:
    """Check every training against the prepared data; seeds and flags of a cell do not count.

    Args:
      cells: that are about to be trained.
      variant: of their configs.
      data_dir: prepared data.

    Raises:
      MissingDataError, OptionError: what is missing, and the command that makes it.
    """
    trainings = dict.fromkeys(
        (cell.config, cell.variant_of(variant)) for cell in cells if cell.config
    )
    for config, argument in trainings:
        values = importlib.import_module(f"medst_jax.configs.{config}").get_config(argument)
        required = systems.system_class(values.system.name).required_keys
        data = parse(DataOptions, values.data, "config.data")
        for name, options in data.mixture.items():
            studies = open_studies(data_dir, options.dataset or name, options.split)
            check_requirements(name, options, studies, np.arange(len(studies)), required)
