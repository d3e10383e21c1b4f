# SPDX-License-Identifier: Apache-2.0
"""The training step of every configuration of paper size is a program: nothing in it is refused."""

import jax
import pytest

from medst_jax.plan.chips import CHIPS
from medst_jax.plan.topology import Topology
from medst_jax.plan.workload import make_workload, sizes_of
from tests.configs.expanded import NAMES, paper_size

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", NAMES)
def test_the_training_step_lowers(name: str):
    config = paper_size(name)
    config["data"]["data_dir"] = "/nowhere"
    here = Topology("here", CHIPS["v5e"], tuple(jax.devices()[:1]), 1)
    workload = make_workload(config, here, sizes_of(config))
    assert workload.lower().out_info is not None
