# SPDX-License-Identifier: Apache-2.0
"""Zero-shot scores of a system whose geometry is known."""

import numpy as np
import pytest

from medst_jax.evaluate.protocols.base_new import BaseNewOptions, base_new
from medst_jax.evaluate.protocols.parts.class_prompts import class_prompts
from medst_jax.evaluate.protocols.zero_shot import ZeroShotOptions, class_scores, zero_shot
from medst_jax.evaluate.registry import parse_protocol
from medst_jax.evaluate.statistics.measure import measure_one
from medst_jax.evaluate.statistics.metrics import harmonic_mean
from medst_jax.evaluate.statistics.outcome import NotApplicable
from medst_jax.evaluate.subjects.embedder import Embeddings
from medst_jax.evaluate.subjects.tasks import TaskOptions
from tests.evaluate.fakes import (
    FakeSystem,
    ImageOnlySystem,
    LengthySystem,
    MeasuringSystem,
    ScoringSystem,
    TextOnlyScores,
    context,
    pointing,
    studies,
)

NAMES = ("East", "North", "Up")
TASK = TaskOptions("fake", classes=NAMES)
DIRECTIONS = np.array([[200, 10, 0], [0, 200, 10], [10, 0, 200], [90, 100, 0]])
CODES = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]])


def _bench(system=None):
    return context(studies(pointing(DIRECTIONS), NAMES, CODES), system=system)


@pytest.mark.parametrize("pool", ["mean", "max"])
def test_prompts_are_pooled_by_their_cosines(pool: str) -> None:
    own = {"East": ("east", "north north north"), "North": ("north",), "Up": ("up",)}
    options = ZeroShotOptions(TASK, mode="text", own_prompts=own, pool=pool)
    scores = zero_shot(options, _bench()).parts[0].predictions.scores[0]
    east, north, up = (DIRECTIONS / np.linalg.norm(DIRECTIONS, axis=1, keepdims=True)).T
    first = (east + north) / 2 if pool == "mean" else np.maximum(east, north)
    np.testing.assert_allclose(scores, np.stack([first, north, up], axis=1), atol=1e-6)


def test_a_class_is_the_cosine_with_the_mean_of_its_prompts() -> None:
    own = {"East": ("east", "north north north"), "North": ("north",), "Up": ("up",)}
    east, north, up = np.eye(3)
    unit = DIRECTIONS / np.linalg.norm(DIRECTIONS, axis=1, keepdims=True)
    for pool, first in (("unit_vectors", east + north), ("raw_vectors", east + 3 * north)):
        options = ZeroShotOptions(TASK, mode="text", own_prompts=own, pool=pool)
        scores = zero_shot(options, _bench(LengthySystem())).parts[0].predictions.scores[0]
        classes = np.stack([first / np.linalg.norm(first), north, up])
        np.testing.assert_allclose(scores, unit @ classes.T, atol=1e-6)
    with pytest.raises(NotApplicable, match="does not say how long"):
        zero_shot(options, _bench())


@pytest.mark.parametrize("pool", ["mean", "max"])
def test_a_measure_of_the_systems_own_takes_the_place_of_the_cosine(pool: str) -> None:
    own = {"East": ("east", "north north north"), "North": ("north",), "Up": ("up",)}
    bench = _bench(MeasuringSystem())

    def scores(**changes):
        options = ZeroShotOptions(TASK, mode="text", own_prompts=own, pool=pool, **changes)
        return zero_shot(options, bench).parts[0].predictions.scores[0]

    east, north, up = (DIRECTIONS / np.linalg.norm(DIRECTIONS, axis=1, keepdims=True)).T
    each = np.stack([2 * east - 1, 2 * north - 3])
    first = each.mean(0) if pool == "mean" else each.max(0)
    np.testing.assert_allclose(
        scores(), np.stack([first, 2 * north - 1, 2 * up - 1], axis=1), atol=1e-6
    )
    first = (east + north) / 2 if pool == "mean" else np.maximum(east, north)
    np.testing.assert_allclose(
        scores(similarity="cosine"), np.stack([first, north, up], axis=1), atol=1e-6
    )
    standard = scores(standardise=True)
    np.testing.assert_allclose(standard.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(standard.std(0), 1, atol=1e-5)


def test_prompts_of_a_class() -> None:
    assert class_prompts("Hernia", "names") == class_prompts("Hernia", "ensemble")
    assert class_prompts("Hernia", "names") == ("A radiology image of hernia",)
    assert class_prompts("Edema", "names", {"Edema": ("mine",)}) == ("mine",)
    assert len(class_prompts("Consolidation", "gloria")) == 192
    assert len(class_prompts("Consolidation", "ensemble")) <= 100
    assert class_prompts("COVID", "descriptions") == class_prompts("COVID-19", "descriptions")
    with pytest.raises(ValueError, match="'gloria' has no class 'Hernia'; it has: atelectasis"):
        class_prompts("Hernia", "gloria")


def test_a_suite_names_a_bank() -> None:
    values = {"protocol": "zero_shot", "task": {"dataset": "fake"}, "prompts": "gloria"}
    assert parse_protocol(values, "suite").options.prompts == "gloria"
    with pytest.raises(ValueError, match="suite.prompts.*glorria.*biovil"):
        parse_protocol({**values, "prompts": "glorria"}, "suite")


def test_scores_in_text_mode() -> None:
    outcome = zero_shot(ZeroShotOptions(TASK, mode="text", prompts="names"), _bench())
    p = outcome.parts[0].predictions
    unit = DIRECTIONS / np.linalg.norm(DIRECTIONS, axis=1, keepdims=True)
    np.testing.assert_allclose(p.scores[0], unit, atol=1e-6)
    np.testing.assert_array_equal(p.targets, [0, 1, 2, 0])
    assert measure_one(p, "balanced_accuracy", replicates=0).value == pytest.approx(
        (0.5 + 1 + 1) / 3
    )


def test_pairs_score_what_is_affirmed_against_what_is_denied() -> None:
    # A system of whole reports: "no x" lies where x is absent, and a name alone lies there too.
    vectors = {"There is up.": [0.6, 0.8], "No up.": [1.0, 0.0], "There is east.": [0.0, 1.0]}
    vectors["No east."] = [0.8, 0.6]

    class Embedder:
        has_text, labels = True, ("Up", "East")

        def texts(self, texts):
            rows = np.array([vectors[text] for text in texts], np.float32)
            return Embeddings(rows, rows)

    rows = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]], np.float32)
    options = ZeroShotOptions(TASK, mode="pairs")
    scores = class_scores(options, Embedder(), Embeddings(rows, rows), ("Up", "East"))
    np.testing.assert_allclose(scores, [[-0.4, -0.8], [0.8, 0.4], [0.4, -0.16]], atol=1e-6)
    # CheXzero's texts, and its probability, which has the same order.
    vectors |= {"up": [0.6, 0.8], "no up": [1.0, 0.0], "east": [0.0, 1.0], "no east": [0.8, 0.6]}
    options = ZeroShotOptions(TASK, mode="pairs", affirm="{}", deny="no {}")
    scores = class_scores(options, Embedder(), Embeddings(rows, rows), ("Up", "East"))
    affirmed, denied = np.exp(rows @ [[0.6, 0], [0.8, 1]]), np.exp(rows @ [[1, 0.8], [0, 0.6]])
    probability = affirmed / (affirmed + denied)
    np.testing.assert_allclose(scores, np.log(probability / (1 - probability)), atol=1e-6)
    with pytest.raises(ValueError, match="deny is 'no class'"):
        ZeroShotOptions(TASK, mode="pairs", deny="no class")
    with pytest.raises(NotApplicable, match="no text encoder"):
        zero_shot(options, _bench(ImageOnlySystem()))


def test_auto_takes_prototypes_where_every_class_has_one() -> None:
    taken = zero_shot(ZeroShotOptions(TASK), _bench())
    assert taken.parts[0].predictions.scores.max() > 5  # logits, not cosines
    options = ZeroShotOptions(TASK, prototypes={"Up": ("nothing",)})
    asked = zero_shot(options, _bench())
    assert asked.parts[0].predictions.scores.max() <= 1.0001
    assert (taken.mode, asked.mode) == ("prototypes", "text")
    text = zero_shot(ZeroShotOptions(TASK), _bench(TextOnlyScores()))
    assert text.parts[0].predictions.scores.max() <= 1.0001


def test_a_class_of_several_prototypes_takes_their_mean_logit() -> None:
    options = ZeroShotOptions(TASK, mode="prototypes", prototypes={"Up": ("east", "north")})
    scores = zero_shot(options, _bench()).parts[0].predictions.scores[0]
    np.testing.assert_allclose(scores[:, 2], scores[:, :2].mean(1), atol=1e-5)


def test_a_class_of_several_prototypes_takes_the_logit_of_their_mean_direction() -> None:
    """As DLILP's release does for COVID-19; unlike the mean logit it is on the scale of the others."""
    options = ZeroShotOptions(
        TASK,
        mode="prototypes",
        prototypes={"Up": ("east", "north")},
        prototype_mean="directions",
    )
    scores = zero_shot(options, _bench()).parts[0].predictions.scores[0]
    unit = DIRECTIONS / np.linalg.norm(DIRECTIONS, axis=1, keepdims=True)
    mean = np.array([1.0, 1.0, 0.0]) / np.sqrt(2)
    np.testing.assert_allclose(scores[:, 2], 10 * unit @ mean, atol=1e-5)
    np.testing.assert_allclose(scores[:, 0], 10 * unit[:, 0], atol=1e-5)

    class Directionless(FakeSystem):
        def label_directions(self) -> None:
            return None

    with pytest.raises(NotApplicable, match="prototype_mean='logits'"):
        zero_shot(options, _bench(Directionless()))


def test_what_a_system_lacks_is_not_applicable() -> None:
    with pytest.raises(NotApplicable, match="no text encoder"):
        zero_shot(ZeroShotOptions(TASK, mode="text"), _bench(ImageOnlySystem()))
    with pytest.raises(NotApplicable, match="no label prototype for East, North, Up"):
        zero_shot(ZeroShotOptions(TASK, mode="prototypes"), _bench(TextOnlyScores()))
    with pytest.raises(NotApplicable, match="cannot be named"):
        base_new(BaseNewOptions(TASK, ("East",), ("Up",)), _bench(ImageOnlySystem()))


def test_base_new_and_their_harmonic_mean() -> None:
    rng = np.random.default_rng(0)
    names = ("East", "North", "Up", "Down")
    codes = np.eye(4, dtype=int)[np.repeat(np.arange(4), 30)]
    directions = rng.integers(1, 120, (120, 3))
    directions[np.arange(90), codes[:90].argmax(1)] += 60
    some = studies(pointing(directions), names, codes)
    options = BaseNewOptions(TaskOptions("fake"), base=names[:2], new=names[2:], prompts="names")
    outcome = base_new(options, context(some, system=FakeSystem()))
    parts = {part.name: part.predictions for part in outcome.parts}
    assert parts["base"].scores.max() > 5 and parts["new"].scores.max() <= 1.0001
    assert parts["joint"].classes == names and len(parts["joint"].patients) == 120
    accuracy = [
        measure_one(parts[n], "balanced_accuracy", replicates=0).value for n in ("base", "new")
    ]
    apart = next(d for d in outcome.derived if d.part == "base and new")
    assert apart.statistic(np.ones((1, 120)))[0] == pytest.approx(
        2 * accuracy[0] * accuracy[1] / sum(accuracy)
    )
    assert not apart.small
    joint = next(d for d in outcome.derived if d.part == "joint")
    predicted, targets = parts["joint"].predicted(), parts["joint"].targets
    recall = [(predicted[targets == c] == c).mean() for c in range(4)]
    expected = harmonic_mean(np.mean([recall[:2]], 1), np.mean([recall[2:]], 1))
    np.testing.assert_allclose(joint.statistic(np.ones((1, 120))), expected)


def test_harmonic_mean_of_zero_is_zero() -> None:
    np.testing.assert_allclose(
        harmonic_mean(np.array([0.0, 0.5]), np.array([0.0, 1.0])), [0, 2 / 3]
    )


def test_without_a_joint_space_texts_are_scored_by_the_system_itself() -> None:
    own = {"East": ("east", "north"), "North": ("north",), "Up": ("up",)}

    def scores(options, system):
        return zero_shot(options, _bench(system)).parts[0].predictions.scores[0]

    for pool in ("mean", "max"):
        options = ZeroShotOptions(TASK, mode="text", own_prompts=own, pool=pool)
        joint, scored = (scores(options, system) for system in (TextOnlyScores(), ScoringSystem()))
        np.testing.assert_allclose(scored, 2 * joint, atol=1e-5)
    pairs = ZeroShotOptions(TASK, mode="pairs", affirm="{}", deny="down {}")
    joint, scored = (scores(pairs, system) for system in (TextOnlyScores(), ScoringSystem()))
    np.testing.assert_allclose(scored, 2 * joint, atol=1e-5)
    vectors = ZeroShotOptions(TASK, mode="text", own_prompts=own, pool="unit_vectors")
    with pytest.raises(NotApplicable, match="averages vectors of texts"):
        scores(vectors, ScoringSystem())


def test_base_and_new_classes_and_maps_without_a_joint_space() -> None:
    options = BaseNewOptions(TASK, ("East", "North"), ("Up", "East"), prompts="names")
    joint, scored = (base_new(options, _bench(s)) for s in (TextOnlyScores(), ScoringSystem()))
    for one, other in zip(joint.parts, scored.parts, strict=True):
        np.testing.assert_allclose(2 * one.predictions.scores, other.predictions.scores, atol=1e-5)
    mapped = ZeroShotOptions(TASK, mode="text", prompts="names", heat_maps=True)
    shown = zero_shot(mapped, _bench(ScoringSystem())).localization
    assert shown is not None and shown.maps.shape == (3, 8, 8)
    assert "own map" in shown.title
