# SPDX-License-Identifier: Apache-2.0
"""Leaks between splits: found, counted, and failing by default; exclusion is respected."""

import json

import cv2
import numpy as np
import pytest

from medst_jax.data.records.studies import MissingDataError
from medst_jax.data_pipelines.audit import perceptual
from medst_jax.data_pipelines.audit.compare import audit, compare
from medst_jax.data_pipelines.audit.holdings import Holdings, read_holdings
from medst_jax.data_pipelines.audit.run import LeakError, run_audit
from tests.data_pipelines.tables import build_table, write_table


def film(seed: int, side: int = 128) -> np.ndarray:
    """A smooth random picture."""
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 12), dtype=np.uint8)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)


def encode(pixels: np.ndarray, quality: int = 95) -> bytes:
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def holdings(name: str, split: str, patients, films, excluded=()) -> Holdings:
    return Holdings(
        dataset=name,
        split=split,
        patients=np.unique(np.array(patients, np.uint64)),
        files=np.array(films, np.uint64),
        hashes=np.stack([perceptual.hash_image(film(k)) for k in films]),
        owners=np.array(patients, np.uint64),
        excluded=np.array(excluded, np.uint64),
    )


def test_hash_survives_scaling_compression_and_contrast():
    for seed in range(20):
        pixels = film(seed)
        small = cv2.resize(pixels, (96, 96), interpolation=cv2.INTER_AREA)
        again = cv2.imdecode(np.frombuffer(encode(small, 70), np.uint8), cv2.IMREAD_GRAYSCALE)
        flat = cv2.convertScaleAbs(pixels, alpha=0.7, beta=20)
        own = perceptual.hash_image(pixels)
        for other in (again, flat):
            assert perceptual.distance(own, perceptual.hash_image(other)) <= perceptual.RADIUS


def flipped(hashes: np.ndarray, flips, rng: np.random.Generator) -> np.ndarray:
    """Each hash with that many of its bits turned over."""
    bits = np.unpackbits(hashes.view(np.uint8), axis=1)
    for row, count in enumerate(flips):
        bits[row, rng.choice(bits.shape[1], count, replace=False)] ^= 1
    return np.packbits(bits, axis=1).view(np.uint16)


def brute_force(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    apart = perceptual.distance(left[:, None], right[None])
    return apart.min(1, initial=256) <= perceptual.RADIUS


@pytest.mark.parametrize("seed", range(6))
def test_hashes_with_a_near_one_are_those_of_a_full_comparison(seed):
    rng = np.random.default_rng(seed)
    left = rng.integers(0, 1 << 16, (400, perceptual.WORDS), dtype=np.uint16)
    left[rng.random(400) < 0.1] = 0  # blank films
    if seed % 2:  # films much alike: a few bits from each other
        left = flipped(np.repeat(left[:1], 400, 0), rng.integers(0, 40, 400), rng)
    right = flipped(left[rng.permutation(400)[:300]], rng.integers(0, 33, 300), rng)
    expected = brute_force(left, right)
    assert np.array_equal(perceptual.has_near(left, right), expected)
    assert 50 < expected.sum()
    none = np.zeros((0, perceptual.WORDS), np.uint16)
    assert not perceptual.has_near(left, none).any()
    assert perceptual.has_near(none, right).shape == (0,)


@pytest.mark.parametrize("apart", [perceptual.RADIUS, perceptual.RADIUS + 1])
def test_the_radius_is_exact_wherever_the_bits_fall(apart):
    rng = np.random.default_rng(apart)
    left = rng.integers(0, 1 << 16, (300, perceptual.WORDS), dtype=np.uint16)
    right = flipped(left, [apart] * 300, rng)
    assert perceptual.has_near(left, right).all() == (apart == perceptual.RADIUS)
    assert perceptual.has_near(left, right).any() == (apart == perceptual.RADIUS)


def test_candidates_are_compared_in_blocks(monkeypatch):
    rng = np.random.default_rng(3)
    left = np.zeros((50, perceptual.WORDS), np.uint16)
    left[:, 0] = np.arange(50)
    right = flipped(left, rng.integers(10, 30, 50), rng)
    monkeypatch.setattr(perceptual, "_BLOCK", 7)
    assert np.array_equal(perceptual.has_near(left, right), brute_force(left, right))


def test_patients_files_and_look_alikes_are_counted_once():
    train = holdings("a", "train", [1, 2, 3], [11, 12, 13])
    test = holdings("a", "test", [3, 4, 5, 6], [99, 11, 50, 12])
    # Patient 3 is in both; file 11 and 12 are the same bytes; 50 is new.
    found = compare(train, test)
    assert (found.patients, found.files, found.look_alikes) == (1, 2, 0)
    other = Holdings(**{**test.__dict__, "files": np.array([1, 2, 3, 4], np.uint64)})
    found = compare(train, other)
    assert (found.patients, found.files, found.look_alikes) == (1, 0, 2)


def test_what_exclusion_drops_is_no_leak():
    train = holdings("a", "train", [1, 2], [11, 12])
    test = holdings("b", "test", [1, 7], [11, 70], excluded=[1, 7])
    (found,) = audit([train, test])
    assert (found.leaks, found.excluded) == (False, 1)
    unlisted = Holdings(**{**test.__dict__, "excluded": np.zeros(0, np.uint64)})
    (found,) = audit([train, unlisted])
    assert (found.leaks, found.patients, found.files) == (True, 1, 1)


def test_only_training_against_evaluation_counts_across_data_sets():
    first = holdings("a", "test", [1], [11])
    second = holdings("b", "test", [1], [11])
    assert audit([first, second]) == []
    assert audit([first, holdings("a", "val", [2], [11])])[0].files == 1


@pytest.fixture
def leaky(tmp_path):
    """Six patients; the test image of one is a training image of another, made smaller."""
    films = {f"{k}.jpg": encode(film(k)) for k in range(6)}
    films["5.jpg"] = encode(cv2.resize(film(0), (96, 96), interpolation=cv2.INTER_AREA), 70)
    rows = [
        {"image_path": f"{k}.jpg", "patient_id": f"p{k}", "split": "train" if k < 4 else "test"}
        for k in range(6)
    ]
    build_table(write_table(tmp_path / "in", rows, **films), tmp_path / "data")
    return tmp_path / "data"


def test_prepared_data_with_a_look_alike_fails_and_is_reported(leaky):
    with pytest.raises(LeakError, match=r"mine/train and mine/test share 0 patients, 0 files, 1"):
        run_audit(leaky)
    report = json.loads((leaky / "audit.json").read_text())
    assert report["images"] == {"mine/test": 2, "mine/train": 4}
    assert report["findings"][0]["look_alikes"] == 1
    assert len(run_audit(leaky, ["mine"], allow_leaks=True)) == 1
    assert [h.split for h in read_holdings(leaky, "mine")] == ["test", "train"]


def test_nothing_to_audit(tmp_path):
    with pytest.raises(MissingDataError, match="no prepared data set"):
        run_audit(tmp_path / "nowhere")
