# SPDX-License-Identifier: Apache-2.0
"""Masks of findings in the encoder's square, from every way in which data sets store them."""

import types

import cv2
import numpy as np
import pytest

from medst_jax.evaluate.protocols.parts.finding_masks import finding_masks
from medst_jax.evaluate.statistics.outcome import NotApplicable
from tests.evaluate.fakes import FakeStudies, studies

IDENTITY = np.array([[1.0, 0, 0], [0, 1, 0]], np.float32)
HALF = IDENTITY / 2
NAMES = ("Edema", "Fracture")


def png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def one(truth: dict, height: int = 16, width: int = 32, affine: np.ndarray = IDENTITY) -> object:
    """A split of one study: a lateral image, then a frontal one of that size."""
    images = [
        types.SimpleNamespace(
            image_id=name, data=png(np.zeros((height, width), np.uint8)), affine=affine
        )
        for name in ("lateral", "frontal")
    ]
    study = types.SimpleNamespace(images=images, frontal=lambda: images[1], truth=truth)

    class Split(FakeStudies):
        def __getitem__(self, i: int) -> types.SimpleNamespace:
            return study

    base = studies(np.zeros((1, 8, 8, 1), np.uint8), NAMES, np.zeros((1, 2)))
    return Split(**vars(base))


def masks(split: object, finding: str = "Fracture", fit: str = "pad") -> np.ndarray:
    found = finding_masks(split, np.array([0]), finding, NAMES, 8, fit)
    assert found.mask.shape == found.inside.shape == (1, 8, 8)
    return found.mask[0], found.inside[0]


def test_boxes_are_of_the_image_and_of_the_finding() -> None:
    boxes = np.array(
        [[1, 1, 0, 0, 8, 8], [1, 1, 24, 8, 32, 16], [1, 0, 0, 0, 32, 16], [0, 1, 0, 0, 32, 16]],
        np.float32,
    )
    mask, inside = masks(one({"truth_boxes": boxes}))
    expected = np.zeros((8, 8), bool)
    expected[2:4, :2] = expected[4:6, 6:] = True  # 32 x 16 padded to 8 x 8: rows 2 to 5
    np.testing.assert_array_equal(mask, expected)
    np.testing.assert_array_equal(inside, np.repeat([0, 0, 1, 1, 1, 1, 0, 0], 8).reshape(8, 8))


def test_what_the_encoder_cuts_off_is_outside() -> None:
    whole = one({"truth_boxes": np.array([[1, 1, 0, 0, 32, 16]], np.float32)})
    found = finding_masks(whole, np.array([0]), "Fracture", NAMES, 8, "pad", (1, 7))
    expected = np.zeros((8, 8), bool)
    expected[2:6, 1:7] = True
    np.testing.assert_array_equal(found.mask[0], expected)
    np.testing.assert_array_equal(found.inside[0], expected)


def test_boxes_are_in_source_pixels() -> None:
    boxes = np.array([[1, 1, 0, 0, 16, 16]], np.float32)  # of a source twice as large
    mask, _ = masks(one({"truth_boxes": boxes}, affine=HALF))
    assert mask[2:4, :2].all() and mask.sum() == 4


def test_a_grid_of_bits_covers_the_image() -> None:
    grid = np.zeros((64, 64), bool)
    grid[:32, :32] = True
    truth = {
        "truth_boxes": np.array([[1, 1, 0, 0, 16, 8], [1, 0, 0, 0, 1, 1]], np.float32),
        "truth_masks": np.stack([np.packbits(grid), np.packbits(~grid)]),
    }
    mask, _ = masks(one(truth))
    expected = np.zeros((8, 8), bool)
    expected[2:4, :4] = True
    np.testing.assert_array_equal(mask, expected)
    mask, _ = masks(one(truth), "edema")  # names are found in any case
    assert mask.sum() == 4 * 8 - 8
    mask, _ = masks(one(truth), fit="crop")  # the middle half of the image
    np.testing.assert_array_equal(mask, np.pad(np.ones((4, 4), bool), ((0, 4), (0, 4))))


def test_a_png_of_any_size_or_no_bytes() -> None:
    picture = np.zeros((32, 64), np.uint8)
    picture[16:, 32:] = 255
    data = np.frombuffer(png(picture), np.uint8)
    mask, _ = masks(one({"truth_mask": data}))
    expected = np.zeros((8, 8), bool)
    expected[4:6, 4:] = True
    np.testing.assert_array_equal(mask, expected)
    mask, inside = masks(one({"truth_mask": np.zeros(0, np.uint8)}))
    assert not mask.any() and inside.any()


def test_a_data_set_without_marks_is_named() -> None:
    with pytest.raises(NotApplicable, match="fake/test marks no finding"):
        masks(one({}))
