# SPDX-License-Identifier: Apache-2.0
"""Entities and their places: sentences, readings, and the simulated reporter's own truth."""

import pytest

from experiments.labeler.entity_places import scores
from medst_jax.text.descriptions import describe_entity, describe_place
from medst_jax.text.places import ENTITIES, PLACES, locate_report, locate_sentence
from medst_jax.text.union import UNION, label_union

CASES = [
    (
        "Small left effusion and right basal atelectasis.",
        {"pleural effusion": {"left pleura": 1}, "atelectasis": {"right lower zone": 1}},
    ),
    (
        "Right and left pleural effusions.",
        {"pleural effusion": {"right pleura": 1, "left pleura": 1}},
    ),
    (
        "Opacities in the right lower lobe and left upper lobe.",
        {"lung opacity": {"right lower zone": 1, "left upper zone": 1}},
    ),
    (
        "Consolidation in the right upper and lower lobes.",
        {"consolidation": {"right upper zone": 1, "right lower zone": 1}},
    ),
    ("Bibasilar atelectasis.", {"atelectasis": {"right lower zone": 1, "left lower zone": 1}}),
    (
        "Atelectasis at the right and left bases.",
        {"atelectasis": {"right lower zone": 1, "left lower zone": 1}},
    ),
    ("Middle lobe consolidation.", {"consolidation": {"right mid zone": 1}}),
    # What follows has the place of what stands before it, unless it is denied.
    (
        "Left lower lobe opacity, in keeping with pneumonia.",
        {"lung opacity": {"left lower zone": 1}, "pneumonia": {"left lower zone": 1}},
    ),
    (
        "Left effusion without pneumothorax.",
        {"pleural effusion": {"left pleura": 1}, "pneumothorax": {}},
    ),
    (
        "No left effusion, but there is a right pneumothorax.",
        {"pleural effusion": {"left pleura": 0}, "pneumothorax": {"right pleura": 1}},
    ),
    # Some findings have one place whatever stands beside them.
    (
        "Cardiomegaly with a possible left effusion.",
        {"cardiomegaly": {"heart": 1}, "pleural effusion": {"left pleura": -1}},
    ),
    ("Mild pulmonary edema.", {"edema": {"right lung": 1, "left lung": 1}}),
    ("Retrocardiac atelectasis.", {"atelectasis": {"retrocardiac region": 1}}),
    # No side is said: nobody knows it.
    ("Lower lobe atelectasis.", {"atelectasis": {}}),
]


@pytest.mark.parametrize("sentence,expected", CASES)
def test_places_of_a_sentence(sentence, expected):
    found = locate_sentence(sentence)
    assert set(found.entities) >= set(expected)
    for name, places in expected.items():
        said = {place: code for (one, place), code in found.places.items() if one == name}
        assert said == places


def test_codes_are_those_of_the_labeler():
    report = "FINDINGS: Tortuous aorta. No right effusion. Possible left basal atelectasis."
    codes = label_union(report)
    found = locate_report(report)
    assert found.entities == {n: c for n, c in codes.items() if n in ENTITIES}
    assert found.places["atelectasis", "left lower zone"] == -1


def test_a_later_reading_takes_a_finding_and_its_places_back():
    text = "WET READ: Right pneumothorax.\nFINDINGS: No pneumothorax."
    found = locate_report(text)
    assert found.entities == {"pneumothorax": 0} and not found.places


def test_over_sentences_presence_outweighs_denial_at_each_place():
    found = locate_report("FINDINGS: Left effusion. No right effusion. No left effusion.")
    assert found.entities == {"pleural effusion": 1}
    assert found.places == {
        ("pleural effusion", "left pleura"): 1,
        ("pleural effusion", "right pleura"): 0,
    }


def test_names_are_unique_and_described():
    assert len(set(ENTITIES)) == len(ENTITIES) == len(UNION) - 3
    assert len(set(PLACES)) == len(PLACES) == 42
    described = [describe_entity(name) for name in ENTITIES]
    assert len(set(described)) == len(ENTITIES)
    assert all(
        text.endswith(".") and text != f"{n}." for n, text in zip(ENTITIES, described, strict=True)
    )
    assert len({describe_place(name) for name in PLACES}) == len(PLACES)


def test_the_reporters_sentences_are_read_back():
    for style in ("m", "e2"):
        for finding, score in scores(40, style=style):
            assert score.codes == score.sentences == 40, finding
            assert score.sides == score.zones == 40, finding
