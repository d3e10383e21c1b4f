# SPDX-License-Identifier: Apache-2.0
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax import systems
from medst_jax.losses import report_ranking_loss
from medst_jax.systems.parts.severity_head import HEADS, QUESTIONS
from tests.systems.make_batch import OPTIONS, TEXT, call, make_batch


@pytest.mark.parametrize("head", HEADS)
def test_image_only_answers_the_cumulative_questions(head):
    system = systems.build("image_only", **OPTIONS, head=head)
    assert system.labels == QUESTIONS
    logits = call(system, "class_logits", make_batch(3)["frontal"])
    assert logits.shape == (3, 3)


def test_cumulative_logits_of_four_classes_are_those_of_their_probabilities():
    logits = np.random.default_rng(0).normal(size=(5, 4))
    system = systems.build("image_only", **OPTIONS)
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    above = np.stack([probabilities[:, k:].sum(1) for k in (1, 2, 3)], axis=1)
    expected = np.log(above / (1 - above))
    actual = system.severity_head.cumulative(jnp.float32(logits))
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_rows_without_grade_or_image_teach_image_only_nothing():
    system = systems.build("image_only", **OPTIONS)
    batch = make_batch()
    encoded = {"severity": jnp.ones((6, 4)) * jnp.arange(4.0)}
    gradient = jax.grad(lambda e: system.objective(e, batch)[0])(encoded)["severity"]
    taught = np.any(gradient != 0, axis=1)
    np.testing.assert_array_equal(taught, batch["severity"] >= 0)
    absent = {**batch, "has_frontal": jnp.zeros(6, bool)}
    assert system.objective(encoded, absent)[0] == 0


def test_joint_ranking_is_the_sum_of_its_four_terms():
    system = systems.build("joint_ranking", **OPTIONS, **TEXT)
    batch = make_batch()
    encoded = call(system, "encode", batch, rngs=None)
    total, metrics = system.objective(encoded, batch)
    paired = batch["text_source"] > 0
    terms = report_ranking_loss(
        encoded["image"], encoded["text"], batch["severity"], batch["study"], mask=paired
    )
    np.testing.assert_allclose(metrics["ranking_loss"][0], sum(terms), rtol=1e-6)
    parts = ("ranking_loss", "image_severity_loss", "text_severity_loss")
    np.testing.assert_allclose(total, sum(metrics[part][0] for part in parts), rtol=1e-6)
    ungraded = {**batch, "severity": jnp.full(6, -1, jnp.int8)}
    total, metrics = system.objective(encoded, ungraded)
    assert metrics["image_severity_loss"][0] == metrics["text_severity_loss"][0] == 0
    assert total == metrics["ranking_loss"][0] > 0


def test_widths_that_agree_get_no_map():
    options = {**OPTIONS, **TEXT, "text": {**TEXT["text"], "width": 16}, "joint": 16}
    system = systems.build("joint_ranking", **options)
    assert not jax.tree.leaves(system.text_joint) and jax.tree.leaves(system.image_joint)
