# SPDX-License-Identifier: Apache-2.0
"""Comparison of runs, the table of claims, and the baselines."""

import functools
import importlib

import numpy as np
import pytest

from medst_jax.configs.evaluate import (
    claims,
    edema_claims,
    kermany,
    place_claims,
    query_claims,
    reality_check,
    smoke,
    temporal_claims,
)
from medst_jax.evaluate.statistics.comparison import compare, mean_value
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.subjects.baselines import PixelEmbedder
from medst_jax.evaluate.suite import parse_suite


def _runs(shift: float, seed: int, count: int = 200) -> list[Predictions]:
    rng = np.random.default_rng(seed)
    targets = np.arange(count) % 2
    runs = []
    for _ in range(3):
        scores = rng.normal(size=(1, count, 2))
        scores[0, np.arange(count), targets] += shift
        runs.append(Predictions("single", np.arange(count) // 2, targets, scores, ("a", "b")))
    return runs


def test_a_better_system_is_told_from_its_control() -> None:
    good, poor = _runs(1.5, 0), _runs(0.0, 1)
    found = compare(good, poor, "auroc", replicates=300)
    assert found.value == pytest.approx(mean_value(good, "auroc") - mean_value(poor, "auroc"))
    assert found.low > 0.1
    same = compare(poor, _runs(0.0, 2), "auroc", replicates=300)
    assert same.low < 0 < same.high


def test_runs_on_other_images_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="cannot be paired"):
        compare(_runs(1, 0), _runs(1, 1, count=100), "auroc")


@pytest.mark.parametrize(
    "module",
    [
        *(claims, edema_claims, kermany, place_claims, query_claims, reality_check, smoke),
        temporal_claims,
    ],
)
def test_suites_parse(module) -> None:
    options, tasks = parse_suite(module.get_config())
    assert options.draws == 2000 and set(tasks) == set(options.tasks)
    with pytest.raises(ValueError, match="no variant"):
        module.get_config("smoke")


def test_claims_name_tasks_of_their_suite() -> None:
    _, tasks = parse_suite(claims.get_config())
    for claim in claims.CLAIMS.values():
        assert {task.partition("/")[0] for task in claim.tasks} <= set(tasks)
        assert claim.controls[0] == "random" and set().union(*claim.required.values()) <= set(
            claim.tasks
        )


@pytest.mark.parametrize("module", [edema_claims, place_claims, query_claims, temporal_claims])
def test_claims_name_tasks_metrics_controls_and_systems_that_exist(module) -> None:
    _, tasks = parse_suite(module.get_config())
    for claim in module.CLAIMS.values():
        assert {task.partition("/")[0] for task in claim.tasks} <= set(tasks)
        assert set(claim.controls) <= {"random", *module.CONTROLS}
        for name, required in claim.required.items():
            assert set(required) <= set(claim.tasks)
            control = module.CONTROLS.get(name, claims.Control())
            assert not control.tasks or set(required) <= set(control.tasks)
            assert not control.system or control.system in {*module.CLAIMS, *module.RECIPES}
    for recipe in module.RECIPES.values():
        assert set(recipe.starts) <= {"image", "text", "heads"}
        origins = [module.RECIPES.get(o, claims.Recipe(o)) for o in recipe.starts.values()]
        for used in (recipe, *origins):
            config = importlib.import_module(f"medst_jax.configs.{used.config}").get_config("smoke")
            for flag in used.flags:
                name, _, value = flag.removeprefix("--config.").partition("=")
                *sections, key = name.split(".")
                section = functools.reduce(lambda part, one: part[one], sections, config)
                assert key in section and section[key] != value
    assert set(module.METRICS) <= {task for c in module.CLAIMS.values() for task in c.tasks}


def test_a_pair_must_gain_over_either_image_alone() -> None:
    required = temporal_claims.CLAIMS["biovil_t"].required
    for control in ("current", "prior"):
        assert temporal_claims.PAIR in required[control]
        (elsewhere,) = {temporal_claims.CONTROLS[control].tasks[temporal_claims.PAIR]}
        assert elsewhere == f"progression/mean/{control}"


def test_frame_pixels_do_not_see_the_inside() -> None:
    images = np.zeros((2, 64, 64, 1), np.uint8)
    images[1, 3:-3, 3:-3] = 200
    frame = PixelEmbedder("frame_pixels", 64).images(images).features
    assert frame.shape == (2, 732) and not frame.any()
    everything = PixelEmbedder("all_pixels", 64).images(images).features
    assert everything.shape == (2, 1024) and everything[1].any()
    assert PixelEmbedder("all_pixels", 64).images(images[:0]).features.shape == (0, 1024)
