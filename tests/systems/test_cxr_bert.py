# SPDX-License-Identifier: Apache-2.0
"""CXR-BERT: section matching as the paper's, which rows take part, hidden words."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax import systems
from medst_jax.losses import clip_loss
from medst_jax.models import unit_norm
from tests.systems.make_batch import TEXT, call, make_batch


@pytest.fixture(scope="module")
def system():
    return systems.build("cxr_bert", **TEXT, joint=16, vocabulary_size=50, language_weight=0.5)


@pytest.fixture(scope="module")
def encoded(system):
    return call(system, "encode", make_batch(), rngs=jax.random.key(1))


def matching(system, encoded, batch):
    return float(call(system, "objective", encoded, batch)[1]["matching_loss"][0])


def test_section_matching_is_the_papers(shared):
    oracle = np.load(shared / "oracle" / "himl.npz")
    sides = (unit_norm(jnp.asarray(oracle[f"paper_{n}"])) for n in ("findings", "impression"))
    np.testing.assert_allclose(clip_loss(*sides, 1 / 0.5), oracle["paper_rsm"], rtol=1e-5)


def test_the_total_is_the_weighted_sum(system, encoded):
    total, metrics = call(system, "objective", encoded, make_batch())
    parts = {name: float(value) for name, (value, _) in metrics.items()}
    np.testing.assert_allclose(
        total, parts["matching_loss"] + 0.5 * parts["language_loss"], rtol=1e-5
    )
    assert parts["matching_loss"] > 0 and parts["language_loss"] > 1


def test_rows_without_a_section_and_equal_impressions_are_no_evidence(system, encoded):
    batch = make_batch()
    before = matching(system, encoded, batch)
    absent = ~batch["impression_mask"].any(1)
    assert absent.sum() == 1
    moved = {**encoded, "findings": jnp.where(absent[:, None], 3.0, encoded["findings"])}
    assert matching(system, moved, batch) == before
    same = {
        **batch,
        "impression_tokens": batch["impression_tokens"].at[4].set(batch["impression_tokens"][5]),
    }
    assert matching(system, encoded, same) < before


def test_it_has_no_image_side(system):
    assert not type(system).has_image and type(system).has_text
    with pytest.raises(systems.UnsupportedError, match="encode_image"):
        system.encode_image(jnp.zeros((1, 8, 8, 1), jnp.uint8))
