# SPDX-License-Identifier: Apache-2.0
"""DLILP's objective: which rows each part sees, and that the two heads stay apart."""

import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax import systems
from tests.systems.make_batch import LABELS, OPTIONS, TEXT, make_batch


@pytest.fixture(scope="module")
def system():
    return systems.build("dlilp", **OPTIONS, **TEXT, contrastive_weight=0.3)


@pytest.fixture(scope="module")
def encoded(system):
    return system.encode(make_batch(), rngs=None)


def _parts(system, encoded, batch):
    total, metrics = system.objective(encoded, batch)
    return float(total), float(metrics["label_loss"][0]), float(metrics["text_loss"][0])


def test_the_total_is_the_weighted_sum(system, encoded):
    total, label, text = _parts(system, encoded, make_batch())
    np.testing.assert_allclose(total, label + 0.3 * text, rtol=1e-6)
    assert label > 0 and text > 0


def test_prompts_and_missing_texts_are_outside_the_text_part(system, encoded):
    batch = make_batch()
    outside = batch["text_source"] != 1
    moved = jnp.where(outside[:, None], encoded["text"][::-1], encoded["text"])
    _, _, before = _parts(system, encoded, batch)
    _, _, after = _parts(system, {**encoded, "text": moved}, batch)
    assert np.any(outside) and before == after


def test_without_two_reports_the_text_part_is_zero(system, encoded):
    batch = make_batch()
    batch["text_source"] = jnp.array([1, 2, 2, 0, 0, 2], jnp.int8)
    _, label, text = _parts(system, encoded, batch)
    assert text == 0 and label > 0


def test_unknown_labels_are_outside_the_label_part(system, encoded):
    batch = make_batch()
    _, before, _ = _parts(system, encoded, batch)
    flipped = jnp.where(batch["label_mask"], batch["labels"], 1 - batch["labels"])
    _, after, _ = _parts(system, encoded, {**batch, "labels": flipped})
    assert before == after
    _, none, _ = _parts(system, encoded, {**batch, "label_mask": jnp.zeros_like(flipped, bool)})
    assert none == 0


def test_class_logits_are_scaled_cosines_of_the_label_head(system):
    images = make_batch(3)["frontal"]
    features = system.encode_image(images).features
    projected = np.asarray(features) @ np.asarray(system.label_head.projection.linear.kernel[...])
    prototypes = np.asarray(system.label_head.prototypes.kernel[...])
    projected = projected / np.linalg.norm(projected, axis=1, keepdims=True)
    prototypes = prototypes / np.linalg.norm(prototypes, axis=1, keepdims=True)
    expected = float(system.label_head.scale()) * projected @ prototypes.T
    assert expected.shape == (3, len(LABELS))
    np.testing.assert_allclose(system.class_logits(images), expected, atol=2e-4)
    np.testing.assert_allclose(system.label_directions(), prototypes, atol=1e-6)
