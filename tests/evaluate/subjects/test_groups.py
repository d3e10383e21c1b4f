# SPDX-License-Identifier: Apache-2.0
"""Groups of evaluation images, and that a suite writes them beside the predictions."""

import numpy as np

from medst_jax.evaluate.subjects.cautions import SystemUnderTest
from medst_jax.evaluate.subjects.groups import image_groups
from medst_jax.evaluate.suite import parse_suite, run_suite
from tests.evaluate.fakes import context, pointing, studies


def _studies():
    codes = np.eye(2, dtype=int)[np.arange(12) % 2]
    directions = np.random.default_rng(0).integers(1, 100, (12, 3))
    return studies(pointing(directions), ("East", "North"), codes)


def test_groups_name_view_sex_and_age_band() -> None:
    groups = image_groups(_studies(), np.array([3, 0, 2]))
    assert list(groups["view"]) == ["AP", "PA", "PA"]
    assert list(groups["sex"]) == ["F", "F", "unknown"]
    assert list(groups["age"]) == ["unknown", "under 40", "65 and over"]
    assert {name: len(g) for name, g in image_groups(_studies(), np.zeros(0, int)).items()} == {
        "view": 0,
        "sex": 0,
        "age": 0,
    }


def test_a_suite_keeps_the_groups_of_classified_images() -> None:
    task = {"dataset": "fake", "classes": ("East", "North")}
    tasks = {"names": {"protocol": "zero_shot", "task": task, "mode": "text", "prompts": "names"}}
    options, assigned = parse_suite({"draws": 10, "tasks": tasks})
    result = run_suite(options, assigned, context(_studies()), SystemUnderTest("fake"))
    assert list(result.predictions["names"].groups["view"]) == ["PA", "AP"] * 6
