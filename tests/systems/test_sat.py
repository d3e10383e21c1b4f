# SPDX-License-Identifier: Apache-2.0
"""SAT: what makes reports alike, pairs of one study, the loss in numpy, the frozen copy, controls."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medst_jax import systems
from medst_jax.options import OptionError
from medst_jax.systems.parts.pairs import paired
from tests.losses.reference import unit
from tests.systems.make_batch import LABELS, OPTIONS, OWN, TEXT, call, make_batch


def build(**changes):
    return systems.build("sat", **{**OPTIONS, **TEXT, **OWN["sat"], **changes})


@pytest.fixture(scope="module")
def system():
    return build()


@pytest.fixture(scope="module")
def encoded(system):
    return call(system, "encode", make_batch(), rngs=jax.random.key(1))


def plain(encoded, batch, reports, high, low) -> float:
    """Anchor by anchor: the paper's loss, pairs of one study or text always positive."""
    rows = np.flatnonzero(paired(batch))
    study, text = np.asarray(batch["study"]), np.asarray(batch["text"])
    logits = 10 * np.asarray(encoded["image"], np.float64) @ np.asarray(encoded["text"]).T
    alike = np.asarray(reports, np.float64) @ np.asarray(reports).T
    terms = []
    for i in rows:
        positives = [
            j for j in rows if alike[i, j] > high or study[i] == study[j] or text[i] == text[j]
        ]
        negatives = [j for j in rows if j not in positives and alike[i, j] <= low]
        if not negatives:
            terms.append(0.0)
            continue
        of_image = np.log(sum(np.exp(logits[i, n]) for n in negatives))
        of_text = np.log(sum(np.exp(logits[n, i]) for n in negatives))
        terms.append(
            np.mean(
                [
                    np.log1p(np.exp(of_image - logits[i, p])) / 2
                    + np.log1p(np.exp(of_text - logits[p, i])) / 2
                    for p in positives
                ]
            )
        )
    return float(np.mean(terms))


def limits_of(reports) -> dict[str, float]:
    """Limits that make a third of the pairs positive, a third neutral."""
    alike = np.asarray(reports) @ np.asarray(reports).T
    others = np.sort(alike[np.triu_indices(len(alike), 1)])
    third = len(others) // 3
    # Between two values, so that rounding moves no pair.
    low, high = (float(others[k : k + 2].mean()) for k in (third, 2 * third))
    return dict(high=high, low=low)


@pytest.mark.parametrize("form", ["dense", "chunked", "ring"])
def test_the_loss_sorts_pairs_by_the_frozen_copy(encoded, form):
    batch = make_batch()
    limits = limits_of(encoded["report"])
    loss, metrics = call(build(**limits, loss_form=form), "objective", encoded, batch)
    expected = plain(encoded, batch, encoded["report"], **limits)
    assert expected > 0.1
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    if form == "dense":
        pairs = int(np.sum(paired(batch))) * (int(np.sum(paired(batch))) - 1)
        assert metrics["positive_pairs"][1] == metrics["neutral_pairs"][1] == pairs
        assert 0 < metrics["neutral_pairs"][0] < pairs - metrics["positive_pairs"][0]


def test_reports_are_the_class_token_of_the_first_weights(system, encoded):
    batch = make_batch()
    states = system.text_encoder(batch["tokens"], batch["token_mask"]).hidden_states[-1]
    np.testing.assert_allclose(encoded["report"], unit(np.asarray(states[:, 0])), atol=1e-6)


def test_the_copy_is_not_trained_and_follows_loaded_weights(system):
    batch = make_batch()
    graph, params, rest = nnx.split(system, nnx.Param, ...)
    assert not any(path[0] == "judge" for path, _ in nnx.to_flat_state(params))
    other = nnx.merge(graph, jax.tree.map(lambda x: x + 0.1, params), rest, copy=True)
    before = system.report_vectors(batch)
    np.testing.assert_array_equal(other.report_vectors(batch), before)
    other.prepare()
    assert np.abs(other.report_vectors(batch) - before).max() > 1e-3
    copied = dict(nnx.to_flat_state(nnx.state(other.judge)))
    for path, value in nnx.to_flat_state(nnx.state(other.text_encoder, nnx.Param)):
        np.testing.assert_array_equal(copied[path][...], value[...])


def test_likeness_may_be_that_of_labels(encoded):
    batch = make_batch()
    system = build(likeness="labels", high=0.9, low=0.5)
    assert not hasattr(system, "judge")
    reports = np.asarray(call(system, "encode", batch, rngs=None)["report"])
    known = np.asarray(batch["text_labels"]) * np.asarray(batch["text_label_mask"])
    assert reports.shape == (6, len(LABELS))
    assert not known.any(axis=1).all()  # a text that affirms nothing is like none
    lengths = np.maximum(np.linalg.norm(known, axis=1, keepdims=True), 1e-12)
    np.testing.assert_allclose(reports, known / lengths, atol=1e-6)
    loss, _ = call(system, "objective", {**encoded, "report": jnp.asarray(reports)}, batch)
    np.testing.assert_allclose(loss, plain(encoded, batch, reports, 0.9, 0.5), rtol=1e-5)


def test_the_control_gives_each_report_the_likeness_of_another(encoded):
    batch = make_batch()
    limits = limits_of(encoded["report"])
    loss, _ = call(build(**limits, permute_likeness=True), "objective", encoded, batch)
    moved = np.roll(np.asarray(encoded["report"]), 1, axis=0)
    np.testing.assert_allclose(loss, plain(encoded, batch, moved, **limits), rtol=1e-5)
    own, _ = call(build(**limits), "objective", encoded, batch)
    assert abs(own - loss) > 1e-3


def test_rows_without_image_or_text_count_for_nothing(system, encoded):
    batch = make_batch()
    absent = {**batch, "has_frontal": batch["has_frontal"].at[2].set(False)}
    moved = {key: value.at[2].set(7.0) for key, value in encoded.items()}
    losses = [call(system, "objective", e, absent)[0] for e in (encoded, moved)]
    assert losses[0] == losses[1]


def test_a_batch_of_one_has_no_negatives(system):
    assert call(system, "loss", make_batch(1), rngs=None)[0] == 0


def test_no_gradient_through_the_likeness_and_bfloat16_towers_train(encoded):
    batch, limits = make_batch(), limits_of(encoded["report"])
    system = build(**limits)

    def of_reports(reports):
        return system.objective({**encoded, "report": reports}, batch)[0]

    assert not np.any(jax.grad(of_reports)(encoded["report"]))
    low = dict(
        image={**OPTIONS["image"], "dtype": "bfloat16"},
        text={**TEXT["text"], "dtype": "bfloat16"},
    )
    half = call(build(**low, likeness="labels"), "loss", batch, rngs=None)[0]
    whole = call(build(likeness="labels"), "loss", batch, rngs=None)[0]
    assert half.dtype == jnp.float32
    np.testing.assert_allclose(half, whole, rtol=0.05)


def test_hidden_width_zero_is_that_of_the_features():
    system = build(hidden=0)
    assert system.image_head.fc1.kernel.shape == (12, 12)
    assert system.text_head.fc1.kernel.shape == (16, 16)


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(high=0.5, low=0.6), "low is 0.6 and config.system.high 0.5"),
        (dict(high=1.5), "config.system.high 1.5"),
        (dict(loss_chunk=2), "loss_chunk is 2 with loss_form 'dense'"),
    ],
)
def test_options_that_cannot_work_are_refused(changes, message):
    with pytest.raises(OptionError, match=message):
        build(**changes)
