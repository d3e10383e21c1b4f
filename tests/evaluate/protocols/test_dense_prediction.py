# SPDX-License-Identifier: Apache-2.0
"""Heads on frozen maps find what the maps hold, and nothing where they hold nothing."""

import dataclasses
import types

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from sklearn.metrics import f1_score

from medst_jax.data.images.preprocess import Preprocess
from medst_jax.evaluate.fitting.dense_training import (
    DenseOptions,
    feature_maps,
    segmentation_loss,
)
from medst_jax.evaluate.fitting.map_heads import HEADS
from medst_jax.evaluate.protocols.dense_prediction import (
    DensePredictionOptions,
    dense_prediction,
)
from medst_jax.evaluate.report.page import ReportOptions, render
from medst_jax.evaluate.statistics.outcome import NotApplicable
from medst_jax.evaluate.statistics.pixel_metrics import (
    best_threshold,
    dice,
    mean_dice,
    pixel_counts,
    pixel_precision,
)
from medst_jax.evaluate.subjects.baselines import PixelEmbedder
from medst_jax.evaluate.subjects.cautions import SystemUnderTest
from medst_jax.evaluate.subjects.context import EvaluationContext
from medst_jax.evaluate.subjects.tasks import TaskOptions
from medst_jax.evaluate.suite import parse_suite, run_suite
from tests.evaluate.fakes import SIZE, FakeStudies, ImageOnlySystem, context, studies

OPTIONS = DensePredictionOptions(
    TaskOptions("fake", classes=("Spot",), kind="multi"),
    training=DenseOptions(steps=80, batch_size=16, learning_rate=2e-2, width=8),
)


class Stages(nnx.Module):
    """Stages of an encoder: the pixels in a fine map, `coarse` of them in a coarse one."""

    def __init__(self, coarse: float) -> None:
        self.coarse = nnx.Param(jnp.asarray(coarse))

    def __call__(self, images: jax.Array) -> types.SimpleNamespace:
        small = images.reshape(len(images), SIZE // 2, 2, SIZE // 2, 2, 1).mean((2, 4))
        small = jnp.concatenate([small, -small], axis=-1) * self.coarse[...]
        return types.SimpleNamespace(stages=(images, small))


class WithStages(ImageOnlySystem):
    def __init__(self, coarse: float) -> None:
        super().__init__()
        self.image_encoder = Stages(coarse)


class Spots(FakeStudies):
    """Every other image has a bright square of 2 x 2 pixels, which its mask marks."""

    def __getitem__(self, i: int) -> types.SimpleNamespace:
        pixels = self.pictures[i, ..., 0]
        data = cv2.imencode(".png", pixels)[1].tobytes()
        mask = cv2.imencode(".png", (pixels > 128).astype(np.uint8) * 255)[1].ravel()
        image = types.SimpleNamespace(image_id=str(i), data=data, affine=np.eye(2, 3))
        return types.SimpleNamespace(
            images=[image], frontal=lambda: image, truth={"truth_mask": mask[: len(mask) * (i % 2)]}
        )


class CroppedStages(WithStages):
    """Sees the middle SIZE of images of SIZE + 4 pixels."""

    preprocess = Preprocess(size=SIZE, crop_from=SIZE + 4, channels=1)


def spots(system: nnx.Module, count: int = 60) -> EvaluationContext:
    rng = np.random.default_rng(0)
    side = system.preprocess.square
    begin = system.preprocess.window(side)[0]
    pictures = rng.integers(0, 60, (count, side, side, 1)).astype(np.uint8)
    for k in range(1, count, 2):
        y, x = begin + 2 * rng.integers(0, SIZE // 2, 2)
        pictures[k, y : y + 2, x : x + 2] += 180
    codes = (np.arange(count) % 2)[:, None]
    base = studies(pictures, ("Spot",), codes, patients=np.arange(count) // 2)
    return context(Spots(**vars(base)), system=system)


def values(part: object) -> dict[str, float]:
    p = part.predictions
    return dict(zip(p.classes, np.nanmean(p.scores[0], axis=0), strict=True))


@pytest.mark.parametrize("system", [WithStages(1.0), CroppedStages(1.0)])
def test_heads_find_what_the_maps_hold(system: nnx.Module) -> None:
    outcome = dense_prediction(OPTIONS, spots(system))
    parts = {part.name: part for part in outcome.parts}
    assert list(parts) == [
        f"{name}{rest}" for name in ("mean mask", "linear", "unet") for rest in ("", "/all images")
    ]
    # A coarse cell is the spot's size but not its pixels' sharpness after enlarging.
    assert values(parts["linear"])["average_precision"] > 0.9
    assert values(parts["unet"])["dice"] > 0.9
    assert values(parts["unet/all images"])["dice"] > 0.9
    assert values(parts["mean mask"])["dice"] < 0.3
    assert len(parts["unet/all images"].rows) == 2 * len(parts["unet"].rows) == 12
    assert outcome.localization is not None and outcome.localization.boxes is not None
    assert outcome.localization.boxes.any((1, 2)).all()


def test_only_the_u_net_reads_finer_maps_and_nothing_comes_from_nothing() -> None:
    made = {
        part.name: values(part) for part in dense_prediction(OPTIONS, spots(WithStages(0.0))).parts
    }
    assert made["unet"]["dice"] > 0.9
    assert made["linear"]["average_precision"] < 0.3


def test_fractions_share_the_test_images() -> None:
    quick = dataclasses.replace(OPTIONS.training, steps=20)
    options = dataclasses.replace(OPTIONS, heads=("linear",), fractions=(0.1, 1.0), training=quick)
    parts = dense_prediction(options, spots(WithStages(1.0))).parts
    assert [part.name for part in parts[2:]] == [
        *("linear/0.1", "linear/0.1/all images", "linear/1", "linear/1/all images")
    ]
    np.testing.assert_array_equal(parts[2].rows, parts[4].rows)


def test_a_finding_that_nobody_marked_is_left_out() -> None:
    made = spots(WithStages(1.0))
    split = made.data.studies("fake", "test")
    split.index.labels[::4] = 1  # positive, without a mask
    parts = dense_prediction(OPTIONS, made).parts
    assert all(row % 4 for part in parts for row in part.rows)


def test_the_suite_and_its_report() -> None:
    made = spots(WithStages(1.0))
    options = dataclasses.asdict(OPTIONS)
    suite, tasks = parse_suite({"tasks": {"spots": {"protocol": "dense_prediction", **options}}})
    result = run_suite(suite, tasks, made, SystemUnderTest("fake"))
    found = {(row.task, row.metric) for row in result.rows}
    assert ("spots/unet", "dice") in found and ("spots/linear", "average_precision") in found
    page = render(ReportOptions("t"), result, made.data, SystemUnderTest("fake"))
    assert "from the worst image to the best" in page


def test_what_cannot_be_read_is_skipped_or_refused() -> None:
    made = spots(WithStages(1.0))
    with pytest.raises(NotApplicable, match="cannot be fine-tuned"):
        dense_prediction(
            OPTIONS, dataclasses.replace(made, embedder=PixelEmbedder("all_pixels", 8))
        )
    with pytest.raises(NotApplicable, match="only a vector"):
        vector = types.SimpleNamespace(
            image_encoder=lambda x: types.SimpleNamespace(pooled=x), preprocess=lambda x: x
        )
        feature_maps(vector, jnp.zeros((1, 8, 8, 1)))
    for message, changes in (
        ("name one class", {"task": TaskOptions("fake", kind="multi")}),
        ("'resnet'.* not in", {"heads": ("resnet",)}),
        (r"must be in \(0, 1\]", {"fractions": (0.0,)}),
    ):
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(OPTIONS, **changes)
    with pytest.raises(ValueError, match="0 steps of 16 images"):
        DenseOptions(steps=0)
    with pytest.raises(ValueError, match="width is 12"):
        DenseOptions(width=12)


def test_patches_become_a_grid() -> None:
    def patches(count: int) -> types.SimpleNamespace:
        output = types.SimpleNamespace(patches=jnp.arange(count * 3.0).reshape(1, count, 3))
        return types.SimpleNamespace(image_encoder=lambda x: output, preprocess=lambda x: x)

    (grid,) = feature_maps(patches(4), jnp.zeros((1, SIZE, SIZE, 1)))
    np.testing.assert_array_equal(grid[0, 1, 0], [6.0, 7.0, 8.0])  # rows first
    with pytest.raises(NotApplicable, match="5 patches are no square grid"):
        feature_maps(patches(5), jnp.zeros((1, SIZE, SIZE, 1)))
    for head in HEADS.values():
        logits = head((3,), 8, 16, rngs=nnx.Rngs(0))([grid])
        assert logits.shape == (1, 8, 8) and logits.dtype == jnp.float32


def loss_in_numpy(logits: np.ndarray, masks: np.ndarray, inside: np.ndarray) -> float:
    p = 1 / (1 + np.exp(-logits.astype(np.float64)))
    entropy = -np.where(masks, np.log(p), np.log(1 - p))[inside].mean()
    overlap = 2 * p[masks & inside].sum() + 1
    return entropy + 1 - overlap / (p[inside].sum() + (masks & inside).sum() + 1)


@pytest.mark.parametrize("count", [1, 3])
def test_loss_value_and_gradient(count: int) -> None:
    rng = np.random.default_rng(count)
    logits = rng.normal(size=(count, 4, 5)).astype(np.float32)
    masks, inside = rng.random((2, count, 4, 5)) > 0.4
    value, gradient = jax.value_and_grad(segmentation_loss)(jnp.asarray(logits), masks, inside)
    np.testing.assert_allclose(value, loss_in_numpy(logits, masks, inside), rtol=1e-5)
    step = 1e-4
    for at in np.ndindex(logits.shape):
        moved = np.zeros_like(logits, np.float64)
        moved[at] = step
        rise = loss_in_numpy(logits + moved, masks, inside)
        fall = loss_in_numpy(logits - moved, masks, inside)
        np.testing.assert_allclose(gradient[at], (rise - fall) / (2 * step), atol=1e-5)
    assert not np.asarray(gradient)[~inside].any()
    half = segmentation_loss(jnp.asarray(logits, jnp.bfloat16), masks, inside)
    assert half.dtype == jnp.float32
    np.testing.assert_allclose(half, value, rtol=2e-2)


def test_dice_is_f1_of_the_pixels_and_empty_masks_are_right_when_nothing_is_marked() -> None:
    a, b = np.random.default_rng(0).random((2, 6, 6)) > 0.5
    assert dice(a, b) == pytest.approx(f1_score(b.ravel(), a.ravel()))
    empty = np.zeros_like(a)
    assert dice(empty, empty) == 1.0 and dice(a, empty) == 0.0
    scores = np.array([[0.9, np.nan], [0.1, 0.5]])
    assert pixel_precision(scores, np.array([[True, False], [False, False]])) == 1.0
    assert pixel_precision(scores, np.array([[False, False], [True, False]])) == pytest.approx(
        1 / 3
    )
    assert np.isnan(pixel_precision(scores, np.array([[False, True], [False, False]])))
    assert best_threshold(np.array([[[0.2, 0.7]]]), np.array([[[False, True]]])) == 0.2


def test_mean_dice_is_that_of_the_pixels_of_all_images_together() -> None:
    rng = np.random.default_rng(1)
    marked, masks = rng.random((2, 5, 6, 6)) < 0.3
    inside = rng.random((5, 6, 6)) < 0.9
    counts = np.stack([pixel_counts(*one) for one in zip(marked, masks, inside, strict=True)])
    assert (counts.sum(1) == inside.sum((1, 2))).all()
    weights = np.array([[1, 1, 1, 1, 1], [2, 0, 1, 0, 3]])
    for row, found in zip(weights, mean_dice(counts, weights), strict=True):
        chosen = np.repeat(np.arange(5), row)
        truth, said = masks[chosen][inside[chosen]], marked[chosen][inside[chosen]]
        assert found == pytest.approx(f1_score(truth, said, average="macro"))
    nothing = pixel_counts(np.zeros((2, 2), bool), np.zeros((2, 2), bool), np.ones((2, 2), bool))
    assert mean_dice(nothing[None], np.ones((1, 1))) == 1
