# SPDX-License-Identifier: Apache-2.0
"""Maps against boxes: hand-made values, the reference's maps, and a system that points."""

import base64
import dataclasses
import types

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import simplejpeg
from scipy.ndimage import gaussian_filter

from medst_jax.data.images.preprocess import Preprocess
from medst_jax.data.records.annotations import Phrase
from medst_jax.evaluate.protocols.parts import similarity_maps as maps
from medst_jax.evaluate.protocols.parts.location_baseline import (
    LocationBaseline,
    centre_map,
    place,
)
from medst_jax.evaluate.protocols.phrase_grounding import (
    PhraseGroundingOptions,
    phrase_grounding,
)
from medst_jax.evaluate.report import figures
from medst_jax.evaluate.statistics.measure import measure_one
from medst_jax.systems.system import Embedding
from tests.evaluate.fakes import (
    SIZE,
    FakeRecords,
    FakeStudies,
    FakeSystem,
    context,
    studies,
    unit_norm,
)


def test_contrast_is_signed_and_ignores_what_is_outside_the_image():
    values = np.full((6, 6), np.nan, np.float32)
    values[:4] = np.arange(24).reshape(4, 6)
    mask = np.zeros((6, 6), bool)
    mask[2:5, :3] = True
    inside, outside = values[:4][mask[:4]], values[:4][~mask[:4]]
    expected = (inside.mean() - outside.mean()) / np.sqrt(inside.var() + outside.var())
    assert maps.contrast_to_noise(values, mask) == pytest.approx(expected, rel=1e-5)
    assert maps.contrast_to_noise(-values, mask) == pytest.approx(-expected, rel=1e-5)
    assert np.isnan(maps.contrast_to_noise(values, np.zeros((6, 6), bool)))


def test_overlaps_of_a_hand_made_map():
    values = np.zeros((4, 4), np.float32)
    values[0] = [0.15, 0.25, 0.35, 0.45]
    mask = np.zeros((4, 4), bool)
    mask[0, 2:] = True
    # Above 0.1, 0.2, 0.3, 0.4, 0.5 lie 4, 3, 2, 1 and 0 pixels; the box is the last two.
    assert maps.mean_overlap(values, mask) == pytest.approx((2 / 4 + 2 / 3 + 1 + 1 / 2 + 0) / 5)
    assert maps.area_overlap(values, mask) == 1.0
    assert maps.area_overlap(-values, mask) == 0.0
    assert maps.area_overlap(np.exp(3 * values), mask) == 1.0


def test_pointing_asks_the_highest_pixel_and_shares_ties():
    values = np.array([[0.9, 0.1, np.nan], [0.2, 0.9, 5.0]], np.float32)
    values[1, 2] = np.nan
    mask = np.zeros((2, 3), bool)
    mask[0, 0] = True
    assert maps.pointing(values, mask) == 0.5
    values[0, 0] = 1.0
    assert maps.pointing(values, mask) == 1.0 and maps.pointing(-values, mask) == 0.0
    assert np.isnan(maps.pointing(values, np.zeros((2, 3), bool)))
    # The best of 2 x 2 regions, enlarged: the pixel at its centre wins.
    drawn = maps.enlarged(np.array([0.0, 0.0, 1.0, 0.0]), 8)
    assert np.unravel_index(drawn.argmax(), drawn.shape)[0] >= 5 and drawn.argmax() % 8 <= 2
    assert maps.smoothed(np.array([0.0, 0.0, 1.0, 0.0]), 8).max() < 1


def test_boxes_are_united_and_rounded_outwards():
    mask = maps.box_mask(np.array([[0.2, 0, 2, 1.1], [1, 1, 3, 2]]), 4)
    expected = [[1, 1, 0, 0], [1, 1, 1, 0], [0] * 4, [0] * 4]
    np.testing.assert_array_equal(mask, np.array(expected, bool))


def test_smoothing_is_the_references(shared):
    oracle = np.load(shared / "oracle" / "himl.npz")
    grid = oracle["simmap_patches"] / np.linalg.norm(
        oracle["simmap_patches"], axis=-1, keepdims=True
    )
    text = oracle["simmap_text"] / np.linalg.norm(oracle["simmap_text"])
    np.testing.assert_allclose(
        gaussian_filter(grid @ text.ravel(), maps.SMOOTHING), oracle["simmap_smoothed"], atol=1e-5
    )
    drawn = maps.similarity_map(grid.reshape(-1, 16), text.ravel(), 14)
    np.testing.assert_allclose(drawn, oracle["simmap_smoothed"], atol=1e-5)
    with pytest.raises(ValueError, match="5 patches"):
        maps.similarity_map(np.zeros((5, 3)), np.zeros(3), 14)


def test_location_falls_back_from_words_to_side_to_finding():
    left, right = np.zeros((2, 2), bool), np.zeros((2, 2), bool)
    left[:, 1], right[:, 0] = True, True
    baseline = LocationBaseline(
        [(place("Mass", "left upper mass"), left), (place("Mass", "right mass"), right)], 2
    )
    np.testing.assert_array_equal(baseline(place("Mass", "mass in the left base")), left)
    np.testing.assert_array_equal(baseline(place("Mass", "a mass")), np.full((2, 2), 0.5))
    assert not baseline(place("Edema", "edema")).any()
    assert centre_map(5).argmax() == 12


def test_maps_fill_the_window_that_the_encoder_sees():
    scores = np.arange(16.0)
    whole = maps.smoothed(scores, 8)
    part = maps.smoothed(scores, 12, (2, 10))
    np.testing.assert_array_equal(part[2:10, 2:10], whole)
    assert np.isnan(part).sum() == 144 - 64
    np.testing.assert_array_equal(
        maps.enlarged(scores, 12, (2, 10))[2:10, 2:10], maps.enlarged(scores, 8)
    )


class Pointer(FakeSystem):
    """Bright places are east, dark ones north."""

    has_prototypes = False

    def encode_image(self, images: jax.Array, **views: jax.Array) -> Embedding:
        values = self.preprocess(images)[..., 0]  # from -1 to 1
        grid = values.reshape(-1, SIZE // 2, 2, SIZE // 2, 2).mean((2, 4)).reshape(len(images), -1)
        bright = (grid + 1) / 2
        local = jnp.stack([bright, 1 - bright, jnp.zeros_like(bright)], axis=-1)
        pooled = local.mean(1)
        return Embedding(unit_norm(pooled), unit_norm(local), pooled)


@dataclasses.dataclass
class StoredPicture:
    """A picture as PNG."""

    image_id: str
    data: bytes
    affine: np.ndarray


@dataclasses.dataclass
class Illustrated(FakeStudies):
    """Studies that hold their picture as PNG."""

    def __getitem__(self, i: int) -> types.SimpleNamespace:
        data = cv2.imencode(".png", self.pictures[i][..., 0])[1].tobytes()
        # As stored images do, they compare by their arrays, and are made anew at each reading.
        image = StoredPicture(f"image-{i}", data, np.eye(2, 3))
        again = StoredPicture(f"image-{i}", data, np.eye(2, 3))
        return types.SimpleNamespace(images=[image, None], frontal=lambda: again, truth={})


def test_numbers_over_findings_and_over_phrases_of_every_image():
    """A frequent finding that is found and a rare one that is not, on first and second images."""
    count = 12
    pictures = np.zeros((count, SIZE, SIZE, 1), np.uint8)
    pictures[:, :3, :3] = 255
    records = FakeRecords()
    for k in range(count):
        number, top = (1, SIZE - 3) if k % 2 else (0, 0)
        left, finding = (0, "Edema") if k < 9 else (SIZE - 3, "Mass")
        box = np.array([[left, top, left + 3, top + 3]], np.float32)
        records.append(Phrase(k, number, "east", finding, box, np.zeros(0, np.int32)))
    plain = studies(pictures, ("A",), np.zeros((count, 1)))

    class TwoImages(Illustrated):
        def __getitem__(self, i: int) -> types.SimpleNamespace:
            study = super().__getitem__(i)
            study.images[1] = dataclasses.replace(study.images[0], image_id="second")
            return study

    made = context(
        TwoImages(**{f.name: getattr(plain, f.name) for f in dataclasses.fields(plain)}),
        system=Pointer(),
    )
    made.data.records[Phrase] = records
    options = PhraseGroundingOptions("fake", "fake", train_split="test", every_image=True)
    parts = {p.name: p.predictions for p in phrase_grounding(options, made).parts}
    assert {len(p.patients) for name, p in parts.items() if "atypical" not in name} == {count}
    # The corner of each image is bright: whoever looks at the image that a phrase is about finds it.
    hits = np.array([k < 9 for k in range(count)], float)
    values = {
        name: measure_one(parts[name], "pointing", replicates=0).value
        for name in ("map", "phrases/map")
    }
    assert values["map"] == pytest.approx((hits[:9].mean() + hits[9:].mean()) / 2)
    assert values["phrases/map"] == pytest.approx(hits.mean())
    signed, absolute = (
        measure_one(parts["phrases/map"], name, replicates=0).value
        for name in ("signed_cnr", "absolute_cnr")
    )
    measured = parts["map"].scores[0, :, maps.METRICS.index("signed_cnr")].astype(float)
    assert (measured[:9] > 0).all() and (measured[9:] < 0).all()
    assert signed == pytest.approx(measured.mean(), rel=1e-5)
    assert absolute == pytest.approx(np.abs(measured).mean(), rel=1e-5)
    first = dataclasses.replace(options, every_image=False)
    assert len(phrase_grounding(first, made).parts[0].predictions.patients) == count / 2


def test_a_location_knows_nothing_of_the_patient_itself():
    full, empty = np.ones((2, 2), bool), np.zeros((2, 2), bool)
    where = place("Mass", "right mass")
    phrases = [(where, full), (where, empty), (place("Mass", "left mass"), full)]
    baseline = LocationBaseline(phrases, 2)
    np.testing.assert_array_equal(baseline(where), np.full((2, 2), 0.5))
    np.testing.assert_array_equal(baseline.without(phrases[:1])(where), np.zeros((2, 2)))
    # Without any phrase of its side it falls back to the finding.
    np.testing.assert_array_equal(baseline.without(phrases[:2])(where), np.ones((2, 2)))
    np.testing.assert_array_equal(baseline(where), np.full((2, 2), 0.5))


class CroppedPointer(Pointer):
    """Sees the middle SIZE of images of SIZE + 4 pixels."""

    preprocess = Preprocess(size=SIZE, crop_from=SIZE + 4, channels=1)


@pytest.mark.parametrize("system", [Pointer(), CroppedPointer()])
def test_a_system_that_points_beats_the_baselines(system):
    count, side = 24, system.preprocess.square
    begin, end = system.preprocess.window(side)
    rng = np.random.default_rng(0)
    pictures = np.zeros((count, side, side, 1), np.uint8)
    records = FakeRecords()
    for k in range(count):
        y, x = rng.integers(begin, end - 3, 2)
        pictures[k, y : y + 4, x : x + 4] = 255
        box = np.array([[x, y, x + 4, y + 4]], np.float32)
        records.append(
            Phrase(k, 0, "east", "Mass" if k % 2 else "Edema", box, np.zeros(0, np.int32))
        )
    plain = studies(pictures, ("A",), np.zeros((count, 1)))
    illustrated = Illustrated(**{f.name: getattr(plain, f.name) for f in dataclasses.fields(plain)})
    made = context(illustrated, system=system)
    made.data.records[Phrase] = records
    options = PhraseGroundingOptions("fake", "fake", train_split="test")
    outcome = phrase_grounding(options, made)
    signed = {
        part.name: measure_one(part.predictions, "signed_cnr", replicates=0).value
        for part in outcome.parts
    }
    shown = outcome.localization
    assert shown is not None and set(shown.classes) == {"Mass", "Edema"}
    for row, name, drawn, box in zip(
        shown.rows, shown.classes, shown.maps, shown.boxes, strict=True
    ):
        assert records[row].finding == name
        x0, y0, x1, y1 = records[row].boxes[0].astype(int)
        assert box[y0:y1, x0:x1].all() and box.sum() == 16
        assert np.nanmean(drawn[box]) > np.nanmean(drawn[~box])
        assert np.isnan(drawn).sum() == side**2 - SIZE**2
    hits = {
        p.name: measure_one(p.predictions, "pointing", replicates=0).value for p in outcome.parts
    }
    assert hits["map"] == 1.0 and max(hits["other_patient"], hits["centre"]) < 0.9
    assert signed["map"] > 1.0
    for baseline in ("location", "other_patient", "centre"):
        assert signed[baseline] < 0.6 * signed["map"]
    (own,) = [part for part in outcome.parts if part.name == "map"]
    assert len(own.predictions.patients) == count and set(own.predictions.targets) == {0, 1}


def test_an_overlay_shows_map_and_box_and_leaves_padding_clear():
    image = np.full((SIZE, SIZE, 1), 100, np.uint8)
    heat = np.full((SIZE, SIZE), np.nan, np.float32)
    heat[:, SIZE // 2 :] = np.linspace(0, 1, SIZE)[:, None]
    box = np.zeros((SIZE, SIZE), bool)
    box[2:6, 1:3] = True
    side = 16 * SIZE
    drawn = figures.overlay_data(image, heat, box, side)
    pixels = simplejpeg.decode_jpeg(base64.b64decode(drawn.partition(",")[2])).astype(int)
    red = pixels[..., 0] - pixels[..., 2]
    assert red[-8:, -8:].mean() > 40  # where the map is highest
    assert abs(red[:8, :8]).mean() < 5  # padding
    edge = pixels[3 * 16, 16]  # of the box, on its left
    assert edge[2] - edge[0] > 60
