# SPDX-License-Identifier: Apache-2.0
import logging

import numpy as np
import pytest

from medst_jax.data.mixture.policy import PRESETS, check_classes, policy_table
from medst_jax.options import OptionError

CODES = np.array([1, 0, -1, -2, -3], np.int8)


def outcome(classes, **options):
    """For each class, the label of each of CODES, or None where it is masked."""
    table = policy_table(classes, **options)
    labels, mask = table.apply(np.repeat(CODES[:, None], len(classes), axis=1))
    assert labels.dtype == np.float32 and mask.dtype == np.bool_
    return [
        [int(v) if m else None for v, m in zip(labels[:, c], mask[:, c], strict=True)]
        for c in range(len(classes))
    ]


def test_default_takes_blank_as_negative_and_masks_uncertain_and_outside():
    assert outcome(("Edema",)) == [[1, 0, None, 0, None]]


@pytest.mark.parametrize("blank", ["negative", "mask"])
@pytest.mark.parametrize("uncertain", ["positive", "negative", "mask"])
def test_every_treatment(blank, uncertain):
    expected = {"positive": 1, "negative": 0, "mask": None}
    assert outcome(("Edema",), blank=blank, uncertain=uncertain) == [
        [1, 0, expected[uncertain], expected[blank], None]
    ]


def test_per_class_treatment_with_a_rest():
    got = outcome(("Edema", "Mass", "Nodule"), uncertain={"edema": "positive", "*": "negative"})
    assert [row[2] for row in got] == [1, 0, 0]
    got = outcome(("Edema", "Mass"), uncertain={"Mass": "negative"})
    assert [row[2] for row in got] == [None, 0]


def test_gloria_preset_values():
    classes = (
        "Atelectasis",
        "Cardiomegaly",
        "Consolidation",
        "Edema",
        "Pleural Effusion",
        "Fracture",
    )
    got = outcome(classes, preset="chexpert_gloria")
    assert [row[2] for row in got] == [1, 0, 0, 1, 1, None]
    assert [row[3] for row in got] == [0] * 6


def test_dlilp_preset_takes_only_the_clear_positive():
    assert outcome(("Edema",), preset="dlilp") == [[1, 0, 0, 0, None]]


def test_presets_work_on_vocabularies_that_lack_their_classes():
    for preset in PRESETS:
        assert len(outcome(("Nodule",), preset=preset)) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "glorai"}, "known presets"),
        ({"blank": "positive"}, "negative, mask"),
        ({"uncertain": {"Edemas": "mask"}}, "'edemas', which is not a class"),
    ],
)
def test_bad_policies_are_named(options, message):
    with pytest.raises(OptionError, match=message):
        policy_table(("Edema",), **options)


def test_class_without_negative_is_an_error_with_counts_and_remedy():
    with pytest.raises(OptionError, match=r"'Mass' \(7 positive, 0 negative\).*drop_labels"):
        check_classes(("Edema", "Mass"), [3, 7], [5, 0])


def test_class_without_positive_is_only_reported(caplog):
    with caplog.at_level(logging.WARNING):
        check_classes(("Edema", "Mass"), [3, 0], [5, 7])
