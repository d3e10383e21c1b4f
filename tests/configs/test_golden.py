# SPDX-License-Identifier: Apache-2.0
"""A change of a configuration of paper size, or of a default that it takes, is seen."""

import json

import pytest

from tests.configs.expanded import FOLDER, NAMES, text_of


@pytest.mark.parametrize("name", NAMES)
def test_the_expanded_configuration_is_the_committed_one(name):
    again = "if the change is meant, run: python -m tests.configs.expanded"
    path = FOLDER / f"{name}.json"
    assert path.exists(), again
    assert json.loads(path.read_text()) == json.loads(text_of(name)), again


def test_no_golden_file_is_left_of_a_configuration_that_is_gone():
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == NAMES
