# SPDX-License-Identifier: Apache-2.0
"""CXR-CLIP: which images and texts stand for a study, and the six agreements of its objective."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax import systems
from medst_jax.losses import clip_loss
from medst_jax.options import OptionError
from medst_jax.systems.parts.pairs import negative_mask
from tests.systems.make_batch import OPTIONS, TEXT, make_batch


@pytest.fixture(scope="module")
def system():
    return systems.build("cxr_clip", **OPTIONS, **TEXT)


@pytest.fixture(scope="module")
def encoded(system):
    return system.encode(make_batch(), rngs=None)


def test_the_total_is_the_papers_sum(system, encoded):
    batch = make_batch()
    # Rows 2 and 5 have one impression, rows 3 and 4 each other's texts; row 1 has the study of row 0.
    batch["impression_text"] = batch["impression_text"].at[2].set(-1).at[5].set(402)
    batch["findings_text"] = batch["findings_text"].at[3].set(304)
    total, metrics = system.objective(encoded, batch)
    negatives = ~np.eye(6, dtype=bool)
    for i, j in ((0, 1), (2, 5), (3, 4)):
        negatives[i, j] = negatives[j, i] = False
    arguments = dict(mask=batch["text_source"] > 0, negative_mask=negatives)

    def agree(one, other):
        return float(clip_loss(one, other, 1 / 0.07, **arguments))

    images, texts = (np.moveaxis(np.asarray(encoded[side]), 1, 0) for side in ("images", "texts"))
    across = np.mean([agree(image, text) for image in images for text in texts])
    expected = across + agree(*images) + 0.5 * agree(*texts)
    np.testing.assert_allclose(total, expected, rtol=1e-5)
    assert float(metrics["text_loss"][0]) > 0


def test_sections_are_negatives_as_before_where_the_options_say_so(encoded):
    batch = make_batch()
    batch["impression_text"] = jnp.full_like(batch["impression_text"], 7)
    batch["impression_mask"] = jnp.ones_like(batch["impression_mask"])
    before = systems.build("cxr_clip", **OPTIONS, **TEXT, equal_sections="negatives")
    every = systems.build("cxr_clip", **OPTIONS, **TEXT, negatives="all")
    mask = batch["text_source"] > 0
    texts = np.moveaxis(np.asarray(encoded["texts"]), 1, 0)
    for system, negatives in ((before, negative_mask(batch)), (every, None)):
        expected = clip_loss(*texts, 1 / 0.07, mask=mask, negative_mask=negatives)
        _, metrics = system.objective(encoded, batch)
        np.testing.assert_allclose(metrics["text_loss"][0], expected, rtol=1e-5)
    alone = systems.build("cxr_clip", **OPTIONS, **TEXT)
    assert alone.objective(encoded, batch)[1]["text_loss"][0] == 0  # all have one impression


def test_prompt_rows_compare_two_draws_and_reports_both_sections(system):
    batch = make_batch()
    missing = jnp.arange(6)[:, None] % 2 == 0
    for name in ("findings", "impression"):
        batch[f"{name}_mask"] = batch["token_mask"] & ~missing
    texts = np.asarray(system.encode(batch, rngs=None)["texts"])
    drawn, second, findings, impression = (
        np.asarray(system.encode_text(batch[f"{key}tokens"], batch[mask]).global_)
        for key, mask in (
            ("", "token_mask"),
            ("second_", "second_mask"),
            ("findings_", "findings_mask"),
            ("impression_", "impression_mask"),
        )
    )
    expected = np.stack(
        [
            np.where(missing, drawn, findings),
            np.where(missing, second, impression),
        ],
        axis=1,
    )
    np.testing.assert_allclose(texts, expected, atol=1e-5)
    repeated = systems.build("cxr_clip", **OPTIONS, **TEXT, texts="repeated")
    again = np.asarray(repeated.encode(batch, rngs=None)["texts"])[::2]
    np.testing.assert_allclose(again[:, 0], again[:, 1], atol=1e-5)
    # In training either of the two comes first, both in every row.
    orders = set()
    for seed in range(4):
        mixed = np.asarray(system.encode(batch, rngs=jax.random.key(seed))["texts"])
        kept = np.abs(mixed - texts).max((1, 2)) < 1e-5
        swapped = np.abs(mixed[:, ::-1] - texts).max((1, 2)) < 1e-5
        assert (kept ^ swapped).all()
        orders.update(kept.tolist())
    assert orders == {True, False}


def test_a_missing_lateral_is_the_frontal_and_a_missing_section_what_was_drawn(system, encoded):
    batch = make_batch()
    images, texts = encoded["images"], encoded["texts"]
    alone = ~np.asarray(batch["has_lateral"])
    same = np.linalg.norm(np.asarray(images[:, 0] - images[:, 1]), axis=1) < 1e-5
    np.testing.assert_array_equal(same, alone)
    drawn = system.encode_text(batch["second_tokens"], batch["second_mask"]).global_
    without = ~np.asarray(batch["impression_mask"]).any(1)
    assert without.sum() == 1
    np.testing.assert_allclose(texts[without, 1], drawn[without], atol=1e-5)
    assert np.abs(np.asarray(texts[~without, 1] - drawn[~without])).max() > 1e-2


def test_the_two_looks_at_one_image_are_augmented_apart(system):
    batch = {**make_batch(), "has_lateral": jnp.zeros(6, bool)}
    images = system.encode(batch, rngs=jax.random.key(0))["images"]
    assert np.all(np.linalg.norm(np.asarray(images[:, 0] - images[:, 1]), axis=1) > 1e-4)


def test_absent_laterals_and_padding_change_nothing(system):
    batch = make_batch()
    noise = jnp.where(batch["has_lateral"][:, None, None, None], batch["lateral"], 77)
    tokens = jnp.where(batch["findings_mask"], batch["findings_tokens"], 7)
    before = system.loss(batch, rngs=None)[0]
    after = system.loss({**batch, "lateral": noise, "findings_tokens": tokens}, rngs=None)[0]
    np.testing.assert_allclose(before, after, rtol=1e-5)


def test_a_batch_of_one_has_nothing_to_choose_from(system):
    assert abs(float(system.loss(make_batch(1), rngs=None)[0])) < 1e-6


def test_forms_agree(system, encoded):
    batch = make_batch()
    chunked = systems.build("cxr_clip", **OPTIONS, **TEXT, loss_form="chunked", loss_chunk=2)

    def run(system):
        return jax.value_and_grad(lambda e: system.objective(e, batch)[0])(encoded)

    for one, two in zip(*(jax.tree.leaves(run(s)) for s in (system, chunked)), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-5)


def test_flips_are_refused():
    with pytest.raises(OptionError, match="flip is 'horizontal'"):
        systems.build("cxr_clip", **{**OPTIONS, "augment": {"flip": "horizontal"}}, **TEXT)
