# SPDX-License-Identifier: Apache-2.0
"""Progression that only a pair of images tells, of systems that read one image or two at once."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC

from medst_jax.data.records.annotations import ImagePair
from medst_jax.evaluate.protocols.temporal_classification import (
    TemporalClassificationOptions,
    temporal_classification,
)
from medst_jax.evaluate.statistics.measure import measure_one
from medst_jax.evaluate.statistics.outcome import NotApplicable
from medst_jax.systems.system import Embedding
from tests.evaluate.fakes import FakeRecords, FakeSystem, context, pointing, studies, unit_norm

EAST, NORTH = (200, 0, 0), (0, 200, 0)
OPTIONS = TemporalClassificationOptions("fake", findings=("Edema",), folds=3, seeds=(0, 1))


class PairSystem(FakeSystem):
    """Embeds what changed since the prior image."""

    has_prototypes = False
    required_keys = ("frontal", "prior_frontal")

    def encode_image(self, images: jax.Array, **views: jax.Array) -> Embedding:
        own = images.reshape(images.shape[0], -1)[:, :3].astype(jnp.float32)
        if "prior_frontal" in views:
            prior = views["prior_frontal"].reshape(images.shape[0], -1)[:, :3]
            own = own - jnp.where(views["has_prior"][:, None], prior.astype(jnp.float32), 0.0)
        return Embedding(unit_norm(own), unit_norm(own)[:, None], own)


@pytest.fixture
def made():
    """A context over 48 patients of two studies: north is a finding that comes or goes."""

    def make(system=None, progression=None):
        kinds = np.random.default_rng(0).permutation(np.arange(48) % 4)
        prior = np.where((kinds % 2)[:, None] == 0, EAST, NORTH)
        current = np.where((kinds // 2)[:, None] == 0, EAST, NORTH)
        pictures = pointing(np.stack([prior, current], axis=1).reshape(-1, 3))
        change = np.sign(current[:, 1] - prior[:, 1]) if progression is None else progression
        result = context(
            studies(pictures, ("Edema",), np.zeros((96, 1)), patients=np.repeat(np.arange(48), 2)),
            system=system,
        )
        records = FakeRecords(
            ImagePair(2 * k + 1, 2 * k, 0, 0, np.array([change[k]], np.int8), "consensus")
            for k in range(48)
        )
        records.labels = ("Edema",)
        result.data.records[ImagePair] = records
        return result

    return make


def accuracies(outcome):
    """The macro accuracy of each part, and the plain one of the release."""
    found = {}
    for part in outcome.parts:
        metric = "accuracy" if part.name.endswith("released") else "balanced_accuracy"
        found[part.name] = measure_one(part.predictions, metric, replicates=0).value
    return found


def test_pairs_tell_what_single_images_cannot(made):
    found = accuracies(temporal_classification(OPTIONS, made()))
    assert found["Edema/pair"] == 1.0 and found["mean/pair"] == 1.0
    assert found["Edema/current"] < 0.75 and found["Edema/prior"] < 0.75
    # Worse becomes better and only what is stable stays right.
    assert found["Edema/swapped"] == pytest.approx(1 / 3)
    assert found["Edema/majority"] == pytest.approx(1 / 3)
    assert found["Edema/other_prior"] < 0.8
    assert found["Edema/released"] == pytest.approx(1.0) == found["mean/released"]
    assert "Edema/no_prior" not in found


def test_a_system_that_reads_priors_gets_them(made):
    found = accuracies(temporal_classification(OPTIONS, made(PairSystem())))
    assert found["mean/pair"] == 1.0
    assert found["mean/no_prior"] < 0.75 and found["mean/swapped"] == pytest.approx(1 / 3)


def test_means_are_over_findings_and_repeats(made):
    outcome = temporal_classification(OPTIONS, made())
    for part in outcome.parts:
        assert len(part.predictions.scores) == 2
    named = accuracies(outcome)
    for kind in ("pair", "current", "other_prior"):
        assert named[f"mean/{kind}"] == pytest.approx(named[f"Edema/{kind}"], abs=1e-6)


def test_findings_without_enough_pairs_are_left_out(made):
    rare = np.zeros(48, int)
    rare[:2] = 1
    with pytest.raises(NotApplicable, match="no finding of fake/test has 3 patients"):
        temporal_classification(OPTIONS, made(progression=rare))


def test_changes_of_labels_are_read_where_nobody_compared_images(made):
    without_records = made()
    without_records.data.records.clear()
    codes = np.where(without_records.data.images("fake", "test", np.arange(96))[:, 0, 1] > 0, 1, 0)
    without_records.data.studies("fake", "test").index.labels = codes.reshape(96, -1)[:, :1]
    options = dataclasses.replace(OPTIONS, changes="labels", classifier="scaled")
    found = accuracies(temporal_classification(options, without_records))
    # Of the four kinds of patients three have the finding once: gone, still there, new.
    assert found["Edema/pair"] == 1.0 and found["Edema/other_prior"] < 0.9
    assert found["Edema/current"] == pytest.approx(2 / 3, abs=0.2)


def test_whether_anything_changed_is_asked_of_two_classes(made):
    options = dataclasses.replace(OPTIONS, asks="changed", classifier="scaled")
    outcome = temporal_classification(options, made())
    pair = next(part.predictions for part in outcome.parts if part.name == "Edema/pair")
    assert pair.classes == ("unchanged", "changed") and pair.scores.shape[2] == 2
    stated = temporal_classification(OPTIONS, made())
    three = next(part.predictions for part in stated.parts if part.name == "Edema/pair")
    np.testing.assert_array_equal(pair.targets, three.targets != 1)
    assert accuracies(outcome)["Edema/majority"] == 0.5
    with pytest.raises(NotApplicable, match="in each of unchanged, changed"):
        temporal_classification(options, made(progression=np.zeros(48, int)))


def test_the_gain_of_the_pair_is_over_each_image_alone(made):
    outcome = temporal_classification(OPTIONS, made())
    found = accuracies(outcome)
    gains = {d.part: d for d in outcome.derived}
    assert list(gains) == ["mean/gain over current", "mean/gain over prior"]
    for name in ("current", "prior"):
        derived = gains[f"mean/gain over {name}"]
        (value,) = derived.statistic(np.ones((1, len(derived.patients))))
        assert value == pytest.approx(found["mean/pair"] - found[f"mean/{name}"])
        assert value > 0.25


def test_the_released_number_is_scikit_learns_accuracy_of_the_shuffled_table():
    """Two findings of one table, blanks in both: what the release's script prints."""
    rng = np.random.default_rng(1)
    count = 60
    pictures = pointing(rng.integers(1, 200, (2 * count, 3)))
    made = context(studies(pictures, ("Edema", "Pneumonia"), np.zeros((2 * count, 2))))
    stated = rng.choice([-1, 0, 1], (count, 2))
    stated[rng.random((count, 2)) < 0.3] = -2
    # As the builder writes them: a row whose findings differ in quality is two records.
    records, table = FakeRecords(), []
    for k, row in enumerate(stated):
        if (row == -2).all():
            continue
        table.append(k)
        apart = [np.array([row[0], -2]), np.array([-2, row[1]])] if k % 2 else [row]
        for codes in apart:
            if (codes != -2).any():
                records.append(
                    ImagePair(2 * k + 1, 2 * k, 0, 0, codes.astype(np.int8), "consensus")
                )
    records.labels = ("Edema", "Pneumonia")
    made.data.records[ImagePair] = records
    options = TemporalClassificationOptions(
        "fake", findings=("Edema", "Pneumonia"), folds=5, seeds=(42, 7)
    )
    found = accuracies(temporal_classification(options, made))
    directions = pictures[:, 0, :3, 0].astype(float)
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    expected = {}
    for c, name in enumerate(("Edema", "Pneumonia")):
        runs = []
        for seed in (42, 7):
            # pandas: table.sample(frac=1, random_state=seed).dropna()
            drawn = np.array(table)[np.random.RandomState(seed).permutation(len(table))]
            kept = drawn[stated[drawn, c] != -2]
            inputs = np.concatenate([unit[2 * kept + 1], unit[2 * kept]], axis=1)
            machine = SVC(kernel="linear", random_state=seed)
            runs.append(cross_val_score(machine, inputs, stated[kept, c] + 1, cv=5).mean())
        expected[name] = np.mean(runs)
    for name, value in expected.items():
        assert found[f"{name}/released"] == pytest.approx(value, abs=1e-6)
    assert found["mean/released"] == pytest.approx(np.mean(list(expected.values())), abs=1e-6)
