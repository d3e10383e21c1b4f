# SPDX-License-Identifier: Apache-2.0
"""Fine-tuning changes an encoder where its frozen features cannot answer."""

import dataclasses
import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medst_jax.data.records.annotations import SentencePair
from medst_jax.evaluate.fitting.tuning import TuningOptions, head_scores, tuned_scores
from medst_jax.evaluate.protocols.fine_tune import FineTuneOptions, fine_tune
from medst_jax.evaluate.protocols.sentence_inference import (
    CLASSES,
    SentenceInferenceOptions,
    sentence_inference,
)
from medst_jax.evaluate.report.page import ReportOptions, render
from medst_jax.evaluate.statistics.measure import measure_one
from medst_jax.evaluate.statistics.outcome import NotApplicable
from medst_jax.evaluate.subjects.baselines import PixelEmbedder
from medst_jax.evaluate.subjects.cautions import SystemUnderTest
from medst_jax.evaluate.subjects.tasks import TaskOptions
from medst_jax.evaluate.suite import parse_suite, run_suite
from tests.evaluate.fakes import (
    FakeRecords,
    ImageOnlySystem,
    TextOnlyScores,
    context,
    pointing,
    studies,
)

QUICK = TuningOptions(steps=120, batch_size=16, learning_rate=3e-2, head_learning_rate=3e-2)


class Blind(nnx.Module):
    """Sees the first of two numbers above all, until it learns to see the second."""

    def __init__(self) -> None:
        self.weight = nnx.Param(jnp.array([[1.0, -1.0], [0.3, 0.3]]))
        self.steady = nnx.BatchStat(jnp.ones(()))

    def __call__(self, x: jax.Array) -> jax.Array:
        return jnp.abs(x @ self.weight[...]) * self.steady[...]


def read(system: Blind, x: jax.Array) -> jax.Array:
    return system(x)


def sample(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers [n, 2], and whether the second is large."""
    x = np.random.default_rng(seed).normal(size=(count, 2)).astype(np.float32)
    return x, (np.abs(x[:, 1]) > 0.7).astype(np.int64)


def accuracy(options: TuningOptions) -> float:
    (x, y), (held, truth) = sample(200, 0), sample(101, 1)
    system = Blind()
    before = np.asarray(system.weight[...])
    scores = tuned_scores(system, read, (x,), y, (held,), 2, options, 0)
    np.testing.assert_array_equal(before, system.weight[...])  # a copy is tuned
    assert scores.shape == (101, 2)
    return float(np.mean(scores.argmax(1) == truth))


def test_the_encoder_learns_too() -> None:
    options = dataclasses.replace(QUICK, steps=300)
    assert accuracy(options) > 0.85
    assert accuracy(dataclasses.replace(options, learning_rate=0.0)) < 0.8


def test_unknown_labels_count_for_nothing() -> None:
    x, y = sample(40, 0)
    known = np.stack([y, np.full(40, -1)], axis=1).astype(np.int8)
    scores = tuned_scores(Blind(), read, (x,), known, (x,), 2, QUICK, 0)
    assert np.abs(scores[:, 0]).max() > 0.1
    np.testing.assert_allclose(scores[:, 1], 0.0, atol=1e-6)


def test_one_example_serves_and_a_loss_that_explodes_is_an_error() -> None:
    x, y = sample(1, 0)
    one = tuned_scores(Blind(), read, (x,), y, (x,), 2, QUICK, 0)
    assert one.argmax() == y[0]
    with pytest.raises(ValueError, match="loss of fine-tuning is"):
        wild = dataclasses.replace(QUICK, learning_rate=float("nan"))
        tuned_scores(Blind(), read, (x,), y, (x,), 2, wild, 0)


def probabilities(logits: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return shifted / shifted.sum(1, keepdims=True)


def adamw_by_hand(x, y, batch, epochs, rate, decay, seed):
    """Weights [D + 1, C] after each pass: AdamW on a softmax layer, features as they are."""
    x = np.concatenate([x, np.ones((len(x), 1))], axis=1).astype(np.float64)
    w, m, v = (np.zeros((x.shape[1], 2)) for _ in range(3))
    rng, waiting, step, after = np.random.default_rng(seed), [], 0, []
    for _ in range(epochs):
        for _ in range(-(-len(x) // batch)):
            while len(waiting) < batch:
                waiting = [*waiting, *rng.permutation(len(x))]
            rows, waiting = waiting[:batch], waiting[batch:]
            step += 1
            error = probabilities(x[rows] @ w) - np.eye(2)[y[rows]]
            gradient = x[rows].T @ error / batch
            m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
            moved = (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
            w = w - rate * (moved + decay * w)
        after.append(w)
    return after


def test_a_frozen_encoder_is_a_linear_head_trained_as_the_papers_do() -> None:
    """AdamW at one rate on raw features, and the epoch with the lowest validation loss."""
    (x, y), (held, truth), (tested, _) = sample(90, 0), sample(40, 1), sample(30, 2)
    options = TuningOptions(
        epochs=12,
        batch_size=16,
        head_learning_rate=0.05,
        learning_rate=1.0,
        encoder="frozen",
        weight_decay=0.3,
        schedule="constant",
        standardise=False,
    )
    features = [np.abs(array @ np.array([[1.0, -1.0], [0.3, 0.3]])) for array in (x, held, tested)]
    after = adamw_by_hand(features[0], y, 16, 12, 0.05, 0.3, 5)
    ones = [np.concatenate([f, np.ones((len(f), 1))], axis=1) for f in features]
    scores = tuned_scores(Blind(), read, (x,), y, (tested,), 2, options, 5)
    np.testing.assert_allclose(scores, ones[2] @ after[-1], atol=1e-4)
    # Labels of the validation images turned over: their loss rises after the first passes.
    for answers in (truth, 1 - truth):
        losses = [-np.log(probabilities(ones[1] @ w)[np.arange(40), answers]).mean() for w in after]
        patience, lowest, waited, chosen = 3, np.inf, 0, 0
        for epoch, loss in enumerate(losses):
            waited += 1
            if loss < lowest:
                lowest, waited, chosen = loss, 0, epoch
            if waited == patience:
                break
        stopping = dataclasses.replace(options, patience=patience)
        scores = tuned_scores(Blind(), read, (x,), y, (tested,), 2, stopping, 5, ((held,), answers))
        np.testing.assert_allclose(scores, ones[2] @ after[chosen], atol=1e-4)
    assert chosen < 11  # the second time it stopped
    with pytest.raises(ValueError, match="give validation images"):
        tuned_scores(Blind(), read, (x,), y, (tested,), 2, stopping, 5)
    with pytest.raises(ValueError, match="say how many epochs at most"):
        TuningOptions(patience=3)


def test_tuning_needs_steps_and_examples() -> None:
    with pytest.raises(ValueError, match="0 steps of 32 examples"):
        TuningOptions(steps=0)


def images(count: int = 90) -> np.ndarray:
    directions = np.random.default_rng(0).integers(1, 60, (count, 3))
    directions[:, :2] += 120 * np.eye(2, dtype=int)[np.arange(count) % 2]
    return pointing(directions)


def test_parts_of_the_labels() -> None:
    codes = np.eye(2, dtype=int)[np.arange(90) % 2]
    made = context(studies(images(), ("East", "North"), codes), system=ImageOnlySystem())
    for kind, metric in (("single", "balanced_accuracy"), ("multi", "auroc")):
        options = FineTuneOptions(
            TaskOptions("fake", kind=kind), fractions=(0.1, 1.0), draws=2, tuning=QUICK
        )
        few, all_ = fine_tune(options, made).parts
        assert (few.name, all_.name) == ("10%", "100%")
        assert len(few.predictions.scores) == 2 and len(all_.predictions.scores) == 1
        assert measure_one(all_.predictions, metric, replicates=0).value > 0.95
        np.testing.assert_array_equal(few.rows, all_.rows)


def test_a_part_of_the_images_as_they_are_and_a_table_of_features() -> None:
    """One image of a class stays one: no class is repeated until they are equal."""
    codes = np.eye(2, dtype=int)[(np.arange(90) % 10 == 0).astype(int)]
    members = [
        studies(images(), ("East", "North"), codes, patients=np.arange(90) + k, split=split)
        for k, split in ((0, "train"), (900, "val"), (1900, "test"))
    ]
    tuning = dataclasses.replace(QUICK, encoder="frozen", epochs=2, patience=1)
    options = FineTuneOptions(
        TaskOptions("fake"),
        train=TaskOptions("fake", split="train"),
        validation=TaskOptions("fake", split="val"),
        fractions=(0.5,),
        tuning=tuning,
        sampling="plain",
    )
    made = context(*members, system=ImageOnlySystem())
    seen = []

    def counted(features, targets, *rest):
        seen.append((len(targets), int(targets.sum()), len(rest[-1][1])))
        return head_scores(features, targets, *rest)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("medst_jax.evaluate.protocols.fine_tune.head_scores", counted)
        fine_tune(options, made)
    order = list(range(90))
    random.Random(0).shuffle(order)
    rare = sum(i % 10 == 0 for i in order[:45])
    assert seen == [(45, rare, 90)]
    pixels = dataclasses.replace(made, embedder=PixelEmbedder("all_pixels", 8), cache={})
    (part,) = fine_tune(options, pixels).parts
    assert len(part.predictions.patients) == 90


def test_what_cannot_be_tuned_is_skipped_and_wrong_parts_are_named() -> None:
    made = context(studies(images(), ("East", "North"), np.eye(2, dtype=int)[np.arange(90) % 2]))
    pixels = dataclasses.replace(made, embedder=PixelEmbedder("all_pixels", 8))
    with pytest.raises(NotApplicable, match="cannot be fine-tuned"):
        fine_tune(FineTuneOptions(TaskOptions("fake")), pixels)
    with pytest.raises(ValueError, match=r"must be in \(0, 1\]"):
        fine_tune(FineTuneOptions(TaskOptions("fake"), fractions=(2.0,)), made)


def pairs() -> FakeRecords:
    found = FakeRecords()
    for k in range(60):
        first, other = ("east", "north") if k % 2 else ("north", "east")
        first = f"{first} {'up ' * (k % 3)}".strip()
        for relation, second in zip(CLASSES, (first, "up down", other), strict=True):
            found.append(SentencePair(f"{first} word{k}", second, relation, "all"))
    return found


def test_inference_reads_both_sentences() -> None:
    one = studies(pointing(np.ones((1, 3))), ("A",), np.zeros((1, 1)))
    made = context(one, system=TextOnlyScores())
    records = pairs()
    half = len(records) // 2
    splits = {"train": records[:half], "test": records[half:]}
    made.data.annotations = lambda dataset, kind, split: splits[split]
    options = SentenceInferenceOptions("fake", "fake", runs=2, tuning=QUICK)
    values = dataclasses.asdict(options)
    suite, tasks = parse_suite({"tasks": {"nli": {"protocol": "sentence_inference", **values}}})
    result = run_suite(suite, tasks, made, SystemUnderTest("fake"))
    (part,) = result.outcomes["nli"].parts
    page = render(ReportOptions("t"), result, made.data, SystemUnderTest("fake"))
    assert "word1" not in page and "<h2>nli</h2>" in page
    assert part.predictions.scores.shape == (2, half, 3)
    assert measure_one(part.predictions, "balanced_accuracy", replicates=0).value > 0.9
    assert len(np.unique(part.predictions.patients)) == half // 3
    # Training pairs about a test sentence are left out: here all of them.
    splits["train"] = splits["test"]
    with pytest.raises(NotApplicable, match="fake/train has no pairs of contradiction"):
        sentence_inference(options, made)
