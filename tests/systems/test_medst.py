# SPDX-License-Identifier: Apache-2.0
"""Med-ST: the reference's weights and terms, what masks leave out, and how time enters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medst_jax import systems
from medst_jax.losses import clip_loss, cycle_consistency_loss, forward_mapping_loss
from medst_jax.losses.token_alignment import attended
from medst_jax.models import LinearHead, TokenWeights, unit_norm
from medst_jax.options import OptionError
from medst_jax.systems.medst import gather_sequences, study_mask
from tests.systems.make_batch import OPTIONS, OWN, TEXT, call, make_batch


@pytest.fixture(scope="module")
def system():
    return systems.build("medst", **{**OPTIONS, **TEXT, **OWN["medst"]})


@pytest.fixture(scope="module")
def encoded(system):
    return call(system, "encode", make_batch(), rngs=None)


def objective(system, encoded, batch):
    value, metrics = call(system, "objective", encoded, batch)
    return float(value), {name: float(total) for name, (total, _) in metrics.items()}


@pytest.fixture(scope="module")
def oracle(shared):
    return np.load(shared / "oracle" / "medst_losses.npz")


def token_weights(oracle, name):
    module = TokenWeights(16, rngs=nnx.Rngs(0))
    weight, bias = oracle[f"mha_{name}_in_proj_weight"], oracle[f"mha_{name}_in_proj_bias"]
    for k, part in enumerate((module.query, module.key)):
        part.kernel.set_value(jnp.asarray(weight[16 * k : 16 * (k + 1)].T, jnp.float32))
        part.bias.set_value(jnp.asarray(bias[16 * k : 16 * (k + 1)], jnp.float32))
    return module


def test_token_weights_are_the_references(oracle):
    words, patches = (
        unit_norm(jnp.asarray(oracle[f"{n}_raw"], jnp.float32)) for n in ("word", "patch")
    )
    pads = jnp.asarray(oracle["pad_mask"])
    every_word, every_patch = jnp.ones(words.shape[:2], bool), jnp.ones(patches.shape[:2], bool)
    temperature = jnp.float32(oracle["local_temperature"])
    seen = unit_norm(attended(words, patches, every_patch, temperature))
    read = attended(patches, words, ~pads, temperature)
    # The reference lets padding take part as a query of the word term.
    weights = token_weights(oracle, "word")(unit_norm(words * seen), every_word)
    np.testing.assert_allclose(weights, oracle["word_weights"], atol=1e-5)
    weights = token_weights(oracle, "patch")(unit_norm(patches * read), every_patch)
    np.testing.assert_allclose(weights, oracle["patch_weights"], atol=1e-5)


def test_global_term_is_the_sum_of_both_directions(oracle):
    image, text = (unit_norm(jnp.asarray(oracle[f"{n}_raw"], jnp.float32)) for n in ("img", "rep"))
    value = 2 * clip_loss(image, text, 1 / oracle["softmax_temperature"])
    np.testing.assert_allclose(value, oracle["loss_ita"], rtol=1e-5)


def test_masked_tokens_weigh_nothing():
    tokens = jnp.asarray(np.random.default_rng(0).normal(size=(2, 5, 16)), jnp.float32)
    mask = jnp.array([[True, True, True, False, False], [False] * 5])
    module = TokenWeights(16, rngs=nnx.Rngs(0))
    weights = module(tokens, mask)
    np.testing.assert_allclose(weights.sum(1), [1, 0], atol=1e-6)
    changed = module(jnp.where(mask[..., None], tokens, jnp.nan), mask)
    np.testing.assert_array_equal(weights, changed)


@pytest.mark.parametrize("heads", ["batch_norm", "linear"])
def test_missing_views_padding_and_missing_texts_change_nothing(heads, encoded):
    system = systems.build("medst", **{**OPTIONS, **TEXT, **OWN["medst"], "heads": heads})
    batch = make_batch()
    before, _ = objective(system, encoded, batch)
    half = encoded["patches"].shape[1] // 2
    absent = ~batch["has_lateral"][:, None, None] & (jnp.arange(2 * half) >= half)[None, :, None]
    unpaired = batch["text_source"] == 0
    altered = {
        **encoded,
        "patches": jnp.where(absent, 7.0, encoded["patches"]),
        "words": jnp.where(encoded["word_mask"][..., None], encoded["words"], -3.0),
        "text": jnp.where(unpaired[:, None], 5.0, encoded["text"]),
    }
    assert bool(absent.any() & unpaired.any())
    after, _ = objective(system, altered, batch)
    np.testing.assert_allclose(after, before, rtol=1e-6)


def test_linear_heads_keep_no_statistics():
    system = systems.build("medst", **{**OPTIONS, **TEXT, **OWN["medst"], "heads": "linear"})
    kept = {path[0] for path, _ in nnx.to_flat_state(nnx.state(system, nnx.BatchStat))}
    assert kept == {"steps"}
    assert type(system.patch_head) is LinearHead


def test_an_absent_lateral_image_changes_no_study(system):
    batch = make_batch()
    changed = {
        **batch,
        "lateral": jnp.where(
            batch["has_lateral"][:, None, None, None], batch["lateral"], 255
        ).astype(jnp.uint8),
    }
    value, _ = call(system, "loss", batch, rngs=None)
    again, _ = call(system, "loss", changed, rngs=None)
    np.testing.assert_allclose(value, again, rtol=1e-6)


def test_terms_are_weighted_and_the_temporal_one_reads_sequences(system, encoded):
    batch = make_batch()
    total, parts = objective(system, encoded, batch)
    terms = [parts[f"{name}_loss"] for name in ("global", "word", "patch", "temporal")]
    np.testing.assert_allclose(total, sum(terms), rtol=1e-5)
    alone = {**batch, "sequence_rows": jnp.full_like(batch["sequence_rows"], -1)}
    _, without = objective(system, encoded, alone)
    assert parts["temporal_loss"] != 0 and without["temporal_loss"] == 0
    assert without["global_loss"] == pytest.approx(parts["global_loss"], rel=1e-6)


def test_equal_words_and_studies_with_equal_texts_do_not_compete(system, encoded):
    released = systems.build(
        "medst",
        **{**OPTIONS, **TEXT, **OWN["medst"]},
        local_negatives="all",
        temporal_negatives="all",
    )
    batch = make_batch()  # rows 2 and 3, of one sequence, have one text
    tokens = jnp.where(batch["token_mask"], 5 + jnp.arange(12) % 4, 0).astype(jnp.int32)
    batch["tokens"] = tokens
    (_, ours), (_, theirs) = (objective(s, encoded, batch) for s in (system, released))
    assert ours["word_loss"] < theirs["word_loss"] - 1e-3
    assert ours["patch_loss"] == pytest.approx(theirs["patch_loss"], rel=1e-6)
    assert ours["temporal_loss"] != pytest.approx(theirs["temporal_loss"], rel=1e-3)
    batch["text"] = jnp.arange(6, dtype=jnp.int32)
    batch["tokens"] = jnp.where(batch["token_mask"], 5 + jnp.arange(12), 0).astype(jnp.int32)
    (one, _), (two, _) = (objective(s, encoded, batch) for s in (system, released))
    assert one == pytest.approx(two, rel=1e-6)


def test_sequences_are_gathered_and_masked():
    batch = make_batch()
    values = jnp.arange(6.0)[:, None]
    found = gather_sequences(values, batch["sequence_rows"])[..., 0]
    np.testing.assert_array_equal(found, [[2, 3, 4], [4, 5, 0], [0, 0, 0]])
    usable = jnp.arange(6) != 3
    expected = [[True, False, True], [True, True, False], [False] * 3]
    np.testing.assert_array_equal(study_mask(batch, usable), expected)


def test_forward_mapping_ignores_order_and_the_sum_ignores_the_direction_of_time():
    rng = np.random.default_rng(1)
    image, text = (unit_norm(jnp.asarray(rng.normal(size=(3, 4, 8)))) for _ in range(2))
    mask, order = jnp.ones((3, 4), bool), jnp.array([2, 0, 3, 1])
    forward = forward_mapping_loss(image, text, mask)
    np.testing.assert_allclose(
        forward_mapping_loss(image[:, order], text[:, order], mask), forward, rtol=1e-5
    )
    total = cycle_consistency_loss(image, text, mask)
    np.testing.assert_allclose(
        cycle_consistency_loss(image[:, ::-1], text[:, ::-1], mask), total, rtol=1e-4
    )
    assert abs(cycle_consistency_loss(image[:, order], text[:, order], mask) - total) > 1e-4


def test_curriculum_raises_the_temporal_weight():
    options = {**OPTIONS, **TEXT, **OWN["medst"], "curriculum": 4}
    system = systems.build("medst", **options)
    ramp = []
    for _ in range(6):
        ramp.append(float(system._ramp()))
    assert ramp == [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"augment": {"flip": "horizontal"}}, "flip is 'horizontal'"),
        ({"image": {"name": "resnet_small"}}, "view_experts_b16"),
    ],
)
def test_impossible_options_are_named(changes, message):
    with pytest.raises(OptionError, match=message):
        systems.build("medst", **{**OPTIONS, **TEXT, **OWN["medst"], **changes})


def test_a_lateral_view_changes_the_embedding_where_there_is_one(system):
    batch = make_batch(3)
    alone = call(system, "encode_image", batch["frontal"])
    graph, state = nnx.split(system)

    @jax.jit
    def both(lateral, has_lateral):
        made = nnx.merge(graph, state)
        return made.encode_image(batch["frontal"], lateral=lateral, has_lateral=has_lateral)

    paired = both(batch["lateral"], batch["has_lateral"])
    has = np.asarray(batch["has_lateral"])
    difference = np.abs(np.asarray(paired.global_) - np.asarray(alone.global_)).max(1)
    assert (difference[has] > 1e-6).all() and (difference[~has] < 1e-5).all()
