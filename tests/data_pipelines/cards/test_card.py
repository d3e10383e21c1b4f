# SPDX-License-Identifier: Apache-2.0
"""Statistics of data cards on hand-made input, and the page itself."""

import numpy as np
import pytest

from medst_jax.data_pipelines.cards.text_statistics import reference, text_statistics
from medst_jax.data_pipelines.cards.truth_statistics import _tabulate
from medst_jax.data_pipelines.fixture import write_fixture
from medst_jax.data_pipelines.origin import _predict, frame_accuracy


def test_text_statistics_of_two_reports():
    reports = [
        [("INDICATION", "Cough."), ("FINDINGS", "No effusion. Possible edema.")],
        [("INDICATION", "Chest pain."), ("FINDINGS", "No effusion. Mild cardiomegaly.")],
    ]
    found = text_statistics(reports)
    assert found["reports"] == 2 and found["words"] == 11
    assert found["words_per_section"]["FINDINGS"] == [4, 4, 4]
    assert found["words_per_section"]["IMPRESSION"] == []
    assert found["sentences_per_report"] == 2.0 and found["mentions_per_report"] == 2.0
    assert found["negated_mentions"] == 0.5 and found["uncertain_mentions"] == 0.25
    assert found["repeated_sentences"] == 0.5 and found["repeated_findings_sections"] == 0.0
    assert text_statistics(reversed(reports)) == found


def test_the_reference_has_the_same_statistics_and_no_text():
    here = text_statistics([[("FINDINGS", "Clear.")]])
    assert set(reference()) == {*here, "source"}
    assert reference()["reports"] > 3900


def test_labels_against_truth():
    names = ["No Finding", "Edema", "Support Devices", "Hiatal Hernia"]
    present = np.array([[0, 1, 0, 0], [0, 1, 1, 0], [1, 0, 1, 1], [1, 0, 0, 0]])
    visible = np.array([[0, 1, 0, 0], [0, 3, 1, 0], [0, 0, 1, 2], [0, 0, 0, 0]])
    codes = np.array([[0, 1], [0, -2], [1, 0], [1, 1]])
    found = _tabulate(names, ("No Finding", "Edema"), present, visible, codes)
    edema, hernia = found["findings"]["Edema"], found["findings"]["Hiatal Hernia"]
    assert (edema["sensitivity"], edema["specificity"], edema["visible"]) == (0.5, 0.5, 0.5)
    assert (edema["frontal_only"], edema["both"]) == (0.5, 0.5)
    assert hernia["lateral_only"] == 1.0 and "sensitivity" not in hernia
    # Devices and findings outside the labels leave a study without a finding.
    assert found["findings"]["No Finding"]["visible"] == 0.5
    assert found["findings"]["No Finding"]["sensitivity"] == 1.0
    assert found["overall"] == {"sensitivity": 0.75, "specificity": 0.75}


@pytest.mark.parametrize(("shift", "low", "high"), [(0.0, 0.3, 0.7), (3.0, 0.95, 1.0)])
def test_origin_is_told_only_where_frames_differ(shift, low, high):
    rng = np.random.default_rng(0)
    origins = np.repeat([0, 1], 100)
    frames = rng.normal(size=(200, 20)) + shift * origins[:, None]
    assert low <= (_predict(frames, origins, np.arange(200)) == origins).mean() <= high


def test_origin_of_two_alike_data_sets(tmp_path):
    for number, name in enumerate(("first", "second")):
        write_fixture(tmp_path, name, patients=30, seed=number)
    found = frame_accuracy(tmp_path, ("first", "second"))
    assert found["chance"] == 0.5 and set(found["recall"]) == {"first", "second"}
    assert 0.2 < found["accuracy"] < 0.8
