# SPDX-License-Identifier: Apache-2.0
"""A patient's own reports and images, compared with nothing of other patients."""

import numpy as np
import pytest

from medst_jax.evaluate.protocols.patient_retrieval import (
    METRICS,
    PatientRetrievalOptions,
    patient_retrieval,
    within,
)
from medst_jax.evaluate.statistics.measure import measure_one
from medst_jax.evaluate.statistics.outcome import NotApplicable
from tests.evaluate.fakes import ImageOnlySystem, context, pointing, studies


def _ward(reports: tuple[str, ...], patients: tuple[int, ...]):
    directions = {"east": [200, 0, 0], "north": [0, 200, 0], "up": [0, 0, 200]}
    shown = [directions.get(report.lower(), [90, 90, 90]) for report in reports]
    pictures = pointing(np.array(shown))
    return studies(
        pictures, ("East",), np.zeros((len(reports), 1)), reports=reports, patients=patients
    )


@pytest.mark.parametrize("seed", range(5))
def test_numbers_against_loops(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 6))
    scores = rng.integers(0, 3, (count, count)).astype(float)
    kinds = rng.integers(0, 3, count)
    got = within(scores, kinds[:, None] == kinds[None, :])
    for numbers, table in zip(got, (scores, scores.T), strict=True):
        for i in range(count):
            others = [j for j in range(count) if kinds[j] != kinds[i]]
            if not others:
                assert np.isnan(numbers[i]).all()
                continue
            wins = [
                1.0 if table[i, i] > table[i, j] else 0.5 * (table[i, i] == table[i, j])
                for j in others
            ]
            expected = [np.mean(wins), float(min(wins) == 1.0), 1 / (len(others) + 1)]
            np.testing.assert_allclose(numbers[i], expected, rtol=1e-6)


def test_a_reader_that_knows_is_always_first() -> None:
    ward = _ward(("east", "north", "up", "north", "up", "east"), (0, 0, 0, 1, 1, 2))
    outcome = patient_retrieval(PatientRetrievalOptions("fake"), context(ward))
    assert [part.name for part in outcome.parts] == ["image to text", "text to image"]
    for part in outcome.parts:
        np.testing.assert_array_equal(part.rows, range(5))  # the last patient has one study
        np.testing.assert_array_equal(part.predictions.patients, [0, 0, 0, 1, 1])
        assert part.predictions.classes == METRICS
        assert measure_one(part.predictions, "pairwise", replicates=0).value == 1
        assert measure_one(part.predictions, "first", replicates=0).value == 1
        chance = measure_one(part.predictions, "chance of first", replicates=0).value
        assert chance == pytest.approx((3 / 3 + 2 / 2) / 5)


def test_a_blind_reader_is_at_chance() -> None:
    ward = _ward(("east", "north", "up"), (0, 0, 0))
    ward.pictures[:] = ward.pictures[:1]
    to_text, to_image = patient_retrieval(PatientRetrievalOptions("fake"), context(ward)).parts
    np.testing.assert_allclose(to_text.predictions.scores[0, :, 0], [1, 0.25, 0.25])
    np.testing.assert_allclose(to_image.predictions.scores[0, :, :2], [[0.5, 0]] * 3)


def test_equal_texts_are_not_compared() -> None:
    ward = _ward(("east", "East", "north", "up", "up", ""), (0, 0, 0, 1, 1, 1))
    (part, _) = patient_retrieval(PatientRetrievalOptions("fake"), context(ward)).parts
    np.testing.assert_array_equal(part.rows, [0, 1, 2])  # patient 1 says one thing only
    np.testing.assert_allclose(part.predictions.scores[0, :, 2], [1 / 2, 1 / 2, 1 / 3])


def test_limit_and_needs() -> None:
    ward = _ward(("east", "north", "up", "north"), (0, 0, 1, 1))
    outcome = patient_retrieval(PatientRetrievalOptions("fake", limit=1), context(ward))
    np.testing.assert_array_equal(outcome.parts[0].rows, [0, 1])
    with pytest.raises(NotApplicable, match="no text encoder"):
        patient_retrieval(PatientRetrievalOptions("fake"), context(ward, system=ImageOnlySystem()))
    with pytest.raises(NotApplicable, match="two studies with a frontal image and different texts"):
        single = _ward(("east", "north"), (0, 1))
        patient_retrieval(PatientRetrievalOptions("fake"), context(single))
