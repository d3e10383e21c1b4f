# SPDX-License-Identifier: Apache-2.0
"""Which pairs of studies are compared, and what counts as better, unchanged and worse."""

import numpy as np

from medst_jax.data.records import schema
from medst_jax.data.records.annotations import ImagePair
from medst_jax.evaluate.protocols.parts.progression_pairs import (
    annotated_pairs,
    labelled_pairs,
)
from tests.evaluate.fakes import FakeRecords, context, pointing, studies

LABELS = ("Edema", "Fracture")


def _bench(codes, patients, frontal=None):
    count = len(codes)
    made = studies(pointing(np.tile([200, 0, 0], (count, 1))), LABELS, codes, patients=patients)
    if frontal is not None:
        made.index.has_frontal = np.asarray(frontal)
    return context(made)


def test_labels_say_gone_still_there_and_new():
    edema = [1, 0, 0, 1, 1, 0, 1]
    codes = np.stack([edema, np.zeros(7, int)], axis=1)
    made = _bench(codes, patients=[3, 3, 3, 3, 3, 8, 8])
    found = labelled_pairs(made, "fake", "test", ("edema", "Fracture", "Hernia"))
    assert list(found) == ["edema", "Fracture"]  # as asked for; what has no label is left out
    pairs = found["edema"]
    # Row 2 is without edema as its prior is, row 5 is another patient's first.
    assert pairs.rows.tolist() == [1, 3, 4, 6]
    assert pairs.priors.tolist() == [0, 2, 3, 5]
    assert pairs.patients.tolist() == [3, 3, 3, 8]
    assert pairs.targets.tolist() == [0, 2, 1, 2]
    assert pairs.rarest == 1
    assert found["Fracture"].rows.tolist() == [] and found["Fracture"].rarest == 0


def test_blank_and_uncertain_labels_compare_nothing():
    unstated = (schema.BLANK, schema.UNCERTAIN, schema.OUTSIDE)
    edema = [1, *(code for code in unstated for _ in "ab"), 1]
    codes = np.stack([edema, edema], axis=1)
    made = _bench(codes, patients=np.zeros(len(edema), int))
    assert labelled_pairs(made, "fake", "test", ("Edema",))["Edema"].rows.tolist() == []


def test_the_prior_is_the_latest_study_with_a_frontal_image():
    codes = np.stack([[0, 1, 1, 1], np.zeros(4, int)], axis=1)
    made = _bench(codes, patients=np.zeros(4, int), frontal=[True, False, True, False])
    pairs = labelled_pairs(made, "fake", "test", ("Edema",))["Edema"]
    assert (pairs.rows.tolist(), pairs.priors.tolist(), pairs.targets.tolist()) == ([2], [0], [2])


def test_annotated_pairs_are_those_that_somebody_compared():
    made = _bench(np.ones((6, 2), int), patients=[1, 1, 1, 2, 2, 2])
    changes = {1: (-1, 1), 2: (schema.BLANK, 0), 4: (1, schema.BLANK)}
    records = FakeRecords(
        ImagePair(row, row - 1, 0, 0, np.array(change, np.int8), "consensus")
        for row, change in changes.items()
    )
    records.labels = LABELS
    made.data.records[ImagePair] = records
    found = annotated_pairs(made, "fake", "test", ("Edema", "Fracture"))
    assert found["Edema"].rows.tolist() == [1, 4] and found["Edema"].targets.tolist() == [0, 2]
    assert found["Fracture"].rows.tolist() == [1, 2]
    assert found["Fracture"].priors.tolist() == [0, 1]
    assert found["Fracture"].patients.tolist() == [1, 1]
