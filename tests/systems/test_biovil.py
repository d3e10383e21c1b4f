# SPDX-License-Identifier: Apache-2.0
"""BioViL and its descendants: terms against the papers' reference, priors, and what is hidden."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from medst_jax import systems
from medst_jax.losses import clip_loss, gloria_local_loss
from medst_jax.models import unit_norm
from medst_jax.options import OptionError
from medst_jax.parallel import make_mesh
from medst_jax.systems.parts.pairs import negative_mask
from medst_jax.train.micro_batches import gradients_in_one_pass
from medst_jax.train.state import arrays, skeleton
from tests.systems.make_batch import OPTIONS, OWN, TEXT, call, make_batch


def build(name, **changes):
    return systems.build(name, **{**OPTIONS, **TEXT, **OWN.get(name, {}), **changes})


@pytest.fixture(scope="module")
def temporal():
    return build("biovil_t")


@pytest.fixture(scope="module")
def local():
    return build("biovil_l", local_weight=0.5, language_weight=2.0)


def test_the_global_term_is_the_papers(shared):
    oracle = np.load(shared / "oracle" / "himl.npz")
    image, text = (
        unit_norm(jnp.asarray(oracle[f"paper_{n}"], jnp.float32)) for n in ("img", "txt")
    )
    value = clip_loss(image, text, 1 / oracle["paper_tau"])
    np.testing.assert_allclose(value, oracle["paper_global"], rtol=1e-5)


def test_the_total_is_the_weighted_sum(local):
    batch = make_batch()
    total, metrics = call(local, "loss", batch, rngs=jax.random.key(0))
    parts = {name: float(value) for name, (value, _) in metrics.items()}
    expected = parts["global_loss"] + 2.0 * parts["language_loss"] + 0.5 * parts["local_loss"]
    np.testing.assert_allclose(total, expected, rtol=1e-5)
    assert parts["language_loss"] > 1 and parts["local_loss"] > 0


def test_the_local_term_uses_the_divisors(local):
    batch = make_batch()
    encoded = call(local, "encode", batch, rngs=None)
    paired = batch["has_frontal"] & (batch["text_source"] > 0)
    expected = gloria_local_loss(
        encoded["text"],
        encoded["patches"],
        (batch["word_index"] >= 0) & paired[:, None],
        word_temperature=4.0,
        pool_temperature=5.0,
        scale=2.0,
        negative_mask=negative_mask(batch),
    )
    _, metrics = call(local, "objective", encoded, batch)
    np.testing.assert_allclose(metrics["local_loss"][0], expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["biovil_l", "biovil_t", "medst"])
def test_every_form_of_the_losses_gives_one_value_and_gradient(name):
    batch = make_batch()
    chunks = {} if name == "medst" else {"local_chunk": 2}
    forms = {
        "dense": {},
        "chunked": dict(loss_form="chunked", loss_chunk=3, **chunks),
        "ring": dict(loss_form="ring", loss_chunk=3, **chunks),
    }
    made = {}
    with jax.set_mesh(make_mesh(devices=jax.devices()[:1])):
        for form, changes in forms.items():
            system = build(name, **changes)
            parts, (params, model_state) = skeleton(system), arrays(system)

            def run(params, parts=parts, model_state=model_state):
                return gradients_in_one_pass(parts, params, model_state, batch, None)

            result = jax.jit(run)(params)
            made[form] = result[0], result[3]
    for form in ("chunked", "ring"):
        np.testing.assert_allclose(made[form][0], made["dense"][0], rtol=1e-5)
        # Of the whole gradient: a bias before a batch norm has one that is zero but for rounding.
        difference = jax.tree.map(jnp.subtract, made[form][1], made["dense"][1])
        ratio = optax.tree.norm(difference) / optax.tree.norm(made["dense"][1])
        assert ratio < 1e-5, (form, float(ratio))


def test_a_chunk_of_a_dense_loss_is_refused():
    with pytest.raises(OptionError, match="local_chunk is 4 with loss_form 'dense'"):
        build("biovil_l", local_chunk=4)
    with pytest.raises(OptionError, match="loss_chunk is 8 with loss_form 'dense'"):
        build("medst", loss_chunk=8)
    with pytest.raises(OptionError, match="loss_form"):
        build("mutual_information", loss_form="ring")  # which has a critic, in chunks of its own


def test_without_randomness_no_word_is_hidden_and_the_text_is_the_evaluations(local):
    batch = make_batch()
    encoded = call(local, "encode", batch, rngs=None)
    assert not np.asarray(encoded["hidden_mask"]).any()
    text = call(local, "encode_text", batch["tokens"], batch["token_mask"])
    np.testing.assert_allclose(unit_norm(encoded["text"][:, 0]), text.global_, atol=1e-5)
    _, metrics = call(local, "objective", encoded, batch)
    assert float(metrics["language_loss"][0]) == 0


def test_an_absent_prior_changes_nothing_and_a_present_one_does(temporal):
    batch = make_batch()
    has = batch["has_prior"][:, None, None, None]

    def patches(prior):
        changed = {**batch, "prior_frontal": prior.astype(jnp.uint8)}
        return np.asarray(call(temporal, "encode", changed, rngs=None)["patches"])

    before = patches(batch["prior_frontal"])
    np.testing.assert_allclose(
        patches(jnp.where(has, batch["prior_frontal"], 9)), before, atol=1e-5
    )
    moved = np.abs(patches(jnp.where(has, 9, batch["prior_frontal"])) - before).max((1, 2))
    assert (moved[np.asarray(batch["has_prior"])] > 1e-4).all()


def test_evaluation_takes_a_prior_or_none(temporal):
    batch = make_batch(4)
    alone = call(temporal, "encode_image", batch["frontal"])
    graph, state = nnx.split(temporal)

    @jax.jit
    def both(prior, has_prior):
        made = nnx.merge(graph, state)
        return made.encode_image(batch["frontal"], prior_frontal=prior, has_prior=has_prior)

    paired = both(batch["prior_frontal"], batch["has_prior"])
    difference = np.abs(np.asarray(paired.global_) - np.asarray(alone.global_)).max(1)
    has = np.asarray(batch["has_prior"])
    assert (difference[has] > 1e-5).all() and (difference[~has] < 1e-5).all()


def test_hidden_words_see_the_image(temporal):
    batch = make_batch()
    key = jax.random.key(3)
    encoded = call(temporal, "encode", batch, rngs=key)
    turned = {**batch, "frontal": batch["frontal"][::-1]}
    changed = call(temporal, "encode", turned, rngs=key)
    np.testing.assert_array_equal(encoded["hidden_tokens"], changed["hidden_tokens"])
    assert np.abs(np.asarray(encoded["hidden"] - changed["hidden"])).max() > 1e-5
    np.testing.assert_allclose(encoded["text"], changed["text"], atol=1e-6)


def test_impossible_options_are_named():
    with pytest.raises(OptionError, match="flip is 'horizontal'"):
        build("biovil", augment={"flip": "horizontal"})
    with pytest.raises(OptionError, match="resnet50 or resnet_small"):
        build("biovil_t", image={"name": "vit_small"})
