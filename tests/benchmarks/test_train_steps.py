# SPDX-License-Identifier: Apache-2.0
"""The step benchmark on the tiny variant, and its errors."""

import pytest

from medst_jax.benchmarks.train_steps import measure, table, torch_seconds
from medst_jax.configs import clip


@pytest.fixture
def config():
    values = clip.get_config("tiny").to_dict()
    values["train"]["batch_size"] = 2
    return values


def test_rate_of_a_configuration(config):
    row = measure(config, steps=1)
    assert row["system"] == "clip" and row["batch_size"] == 2
    assert row["examples_per_second"] == pytest.approx(2 / row["seconds"], rel=0.05)
    assert "examples_per_second" in table(row)


def test_an_interpreter_without_torch_is_named(config, tmp_path):
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho 'ModuleNotFoundError: torch' >&2\nexit 1\n")
    fake.chmod(0o755)
    with pytest.raises(ValueError, match="torch_step.py failed:\nModuleNotFoundError: torch"):
        torch_seconds(str(fake), config, 1)
