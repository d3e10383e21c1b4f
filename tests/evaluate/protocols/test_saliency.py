# SPDX-License-Identifier: Apache-2.0
"""Saliency lies where a class's logit looks, and nowhere else."""

import dataclasses
import types

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax.evaluate.protocols.parts.severity_head import HEAD_LABELS
from medst_jax.evaluate.protocols.saliency import SaliencyOptions, saliency, saliency_maps
from medst_jax.evaluate.report.page import ReportOptions, render
from medst_jax.evaluate.statistics.outcome import NotApplicable
from medst_jax.evaluate.subjects.cautions import SystemUnderTest
from medst_jax.evaluate.subjects.context import EvaluationContext
from medst_jax.evaluate.subjects.tasks import TaskOptions
from medst_jax.evaluate.suite import parse_suite, run_suite
from tests.evaluate.fakes import SIZE, FakeStudies, FakeSystem, context, studies

OPTIONS = SaliencyOptions(TaskOptions("fake", classes=("Spot",), kind="multi"), samples=4)


class Squares(FakeSystem):
    """The logit of "Spot" is the sum of squared grey values; "Corner" reads one pixel."""

    labels = ("Corner", "Spot")

    def class_logits(self, images: jax.Array) -> jax.Array:
        values = images.astype(jnp.float32)[..., 0] / 255
        return jnp.stack([values[:, 0, 0], 0.5 * jnp.square(values).sum((1, 2))], axis=1)


class Grades(Squares):
    labels = HEAD_LABELS

    def class_logits(self, images: jax.Array) -> jax.Array:
        spot = super().class_logits(images)[:, 1]
        return jnp.stack([spot, 2 * spot, 3 * spot], axis=1)


class Marked(FakeStudies):
    """A bright square of 2 x 2 pixels and its box in every other study."""

    def __getitem__(self, i: int) -> types.SimpleNamespace:
        data = cv2.imencode(".png", self.pictures[i, ..., 0])[1].tobytes()
        image = types.SimpleNamespace(image_id=str(i), data=data, affine=np.eye(2, 3))
        y, x = np.argwhere(self.pictures[i, ..., 0] > 128).min(0) if i % 2 else (0, 0)
        boxes = np.array([[0, 0, x, y, x + 2, y + 2]], np.float32)[: i % 2]
        return types.SimpleNamespace(
            images=[image], frontal=lambda: image, truth={"truth_boxes": boxes}
        )


def made(system: FakeSystem, name: str = "Spot", count: int = 60) -> EvaluationContext:
    rng = np.random.default_rng(0)
    pictures = np.full((count, SIZE, SIZE, 1), 40, np.uint8)
    for k in range(1, count, 2):
        y, x = rng.integers(0, SIZE - 1, 2)
        pictures[k, y : y + 2, x : x + 2] = 230
    codes = (np.arange(count) % 2)[:, None]
    base = studies(pictures, (name,), codes, patients=np.arange(count) // 2)
    return context(Marked(**vars(base)), system=system)


def test_the_map_of_a_known_logit_and_its_baselines() -> None:
    outcome = saliency(OPTIONS, made(Squares()))
    found = {
        part.name: dict(
            zip(part.predictions.classes, part.predictions.scores[0].mean(0), strict=True)
        )
        for part in outcome.parts
    }
    assert list(found) == ["map", "mean mask", "other_patient", "centre"]
    assert found["map"]["pointing"] == 1.0 and found["map"]["signed_cnr"] > 1.0
    for baseline in ("mean mask", "other_patient", "centre"):
        assert found[baseline]["pointing"] < 0.4, baseline
    assert all((part.rows % 2 == 1).all() for part in outcome.parts)


def test_gradient_of_one_copy_without_noise_is_the_gradient() -> None:
    images = np.random.default_rng(0).integers(0, 255, (3, SIZE, SIZE, 1)).astype(np.uint8)
    exact = dataclasses.replace(OPTIONS, samples=1, noise=0.0)
    maps = saliency_maps(Squares(), images, np.array([0.0, 1.0], np.float32), exact)
    np.testing.assert_allclose(maps, images[..., 0] / 255.0 / 255.0, rtol=1e-5)
    corner = saliency_maps(Squares(), images, np.array([1.0, 0.0], np.float32), OPTIONS)
    assert (np.flatnonzero(corner[0]) == 0).all() and corner[0, 0, 0] == pytest.approx(1 / 255)
    # Copies of an image do not depend on its neighbours.
    alone = saliency_maps(Squares(), images[:1], np.array([0.0, 1.0], np.float32), OPTIONS)
    assert alone.shape == (1, SIZE, SIZE)


def test_a_severity_head_answers_for_edema() -> None:
    options = dataclasses.replace(
        OPTIONS, task=TaskOptions("fake", classes=("Edema",), kind="multi")
    )
    parts = saliency(options, made(Grades(), "Edema")).parts
    assert parts[0].predictions.scores[0, :, -1].mean() == 1.0


def test_the_suite_and_its_report() -> None:
    options = dataclasses.asdict(OPTIONS)
    suite, tasks = parse_suite({"tasks": {"where": {"protocol": "saliency", **options}}})
    context = made(Squares())
    result = run_suite(suite, tasks, context, SystemUnderTest("fake"))
    assert ("where/map", "pointing") in {(row.task, row.metric) for row in result.rows}
    page = render(ReportOptions("t"), result, context.data, SystemUnderTest("fake"))
    assert "saliency and mask, from the worst image to the best" in page


def test_what_cannot_be_asked() -> None:
    with pytest.raises(NotApplicable, match="no logit of 'Spot'; it answers Edema >= 1"):
        saliency(OPTIONS, made(Grades()))
    with pytest.raises(ValueError, match="name one class"):
        SaliencyOptions(TaskOptions("fake"))
    with pytest.raises(ValueError, match="samples is 0"):
        dataclasses.replace(OPTIONS, samples=0)
