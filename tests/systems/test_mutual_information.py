# SPDX-License-Identifier: Apache-2.0
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medst_jax import systems
from medst_jax.added_options import fill_recorded
from medst_jax.losses import info_nce_loss
from medst_jax.models.heads.critic import pair_scores
from medst_jax.systems.mutual_information import GLOBAL_BOUNDS, DonskerVaradhan
from medst_jax.systems.parts.information import MutualInformationOptions
from medst_jax.systems.parts.pairs import negative_mask
from medst_jax.systems.parts.towers import regions
from tests.systems.make_batch import OPTIONS, TEXT, call, make_batch

CRITIC = dict(hidden=(8, 6), rank=4, chunk=4)


def build(name, **changes):
    return systems.build(name, **{**OPTIONS, **TEXT, "critic": CRITIC, **changes})


def test_the_two_estimators_have_different_gradients():
    # In the release they differ by a constant only.
    scores = jnp.float32(np.random.default_rng(0).normal(size=(6, 6)))
    negatives, mask = ~jnp.eye(6, dtype=bool), jnp.ones(6, bool)
    options = MutualInformationOptions(image={})
    gradients = []
    for bound in GLOBAL_BOUNDS.values():
        graph, state = nnx.split(bound(options))
        gradients.append(
            jax.grad(lambda s, g=graph, v=state: nnx.merge(g, v, copy=True)(s, negatives, mask))(
                scores
            )
        )
    # On the diagonal MINE pulls every matched pair alike, CPC those it still confuses.
    first, second = (np.diagonal(g) for g in gradients)
    assert np.ptp(second) < 1e-6
    assert np.ptp(first) > 0.01


def test_the_objective_is_the_bound_of_the_critics_scores():
    batch = make_batch()
    system = build("mutual_information")
    encoded = call(system, "encode", batch, rngs=None)
    texts, images = encoded["text"], encoded["image"]
    scores = jnp.array(
        [
            [
                system.critic.combine(*_sides(system, image[None, None], text[None]))[0, 0, 0]
                for image in images
            ]
            for text in texts
        ]
    )
    mask = batch["has_frontal"] & (batch["text_source"] > 0)
    expected = info_nce_loss(scores, negative_mask(batch), mask=mask)
    np.testing.assert_allclose(call(system, "objective", encoded, batch)[0], expected, rtol=1e-4)


def _sides(system, images, texts):
    return system.critic.sides(images, texts)


def test_the_running_mean_mixes_batches_and_skips_those_without_negatives():
    bound = DonskerVaradhan(MutualInformationOptions(image={}, moving_average=0.25))
    mask, off = jnp.ones(2, bool), ~jnp.eye(2, dtype=bool)
    first, second = (jnp.array([[0.0, a], [a, 0.0]]) for a in (1.0, 3.0))
    bound(first, off, mask)
    np.testing.assert_allclose(bound.log_mean[...], 1.0, rtol=1e-6)
    bound(second, off, jnp.array([True, False]))
    np.testing.assert_allclose(bound.log_mean[...], 1.0, rtol=1e-6)
    bound(second, off, mask)
    expected = np.log(0.75 * np.exp(1) + 0.25 * np.exp(3))
    np.testing.assert_allclose(bound.log_mean[...], expected, rtol=1e-6)


def test_the_local_bound_has_a_running_mean_too():
    batch = make_batch()
    system = build("local_mutual_information", estimator="dv", moving_average=0.25)
    encoded = call(system, "encode", batch, rngs=None)
    graph, state = nnx.split(system)

    @jax.jit
    def objective(state, encoded):
        module = nnx.merge(graph, state, copy=True)
        loss, _ = module.objective(encoded, batch)
        return loss, nnx.state(module), module.bound.log_mean[...]

    _, state, before = objective(state, encoded)
    doubled = {**encoded, "sentences": 2.0 * encoded["sentences"]}
    second, _, after = objective(state, doubled)
    # The value of the loss is the batch's, so the batch's mean is known from a fresh system.
    fresh, _, alone = objective(nnx.state(system), doubled)
    np.testing.assert_allclose(second, fresh, rtol=1e-6)
    assert abs(float(alone - before)) > 1e-3
    mixed = np.log(0.75 * np.exp(before) + 0.25 * np.exp(alone))
    np.testing.assert_allclose(after, mixed, rtol=1e-5)


def test_the_local_bound_of_earlier_runs_keeps_no_mean():
    system = build("local_mutual_information", estimator="dv", denominator="batch")
    assert not [path for path, _ in nnx.to_flat_state(nnx.state(system)) if "bound" in path]
    recorded = fill_recorded(type(system).Options, {"estimator": "dv", "moving_average": 0.1})
    assert recorded["denominator"] == "batch"


@pytest.mark.parametrize("estimator", ["infonce", "dv"])
def test_local_ignores_padding_and_rows_without_text(estimator):
    batch = make_batch()
    system = build("local_mutual_information", estimator=estimator, sentence_length=6)
    value = call(system, "loss", batch, rngs=None)[0]
    longer = {
        **batch,
        "tokens": jnp.pad(batch["tokens"], ((0, 0), (0, 5))),
        "token_mask": jnp.pad(batch["token_mask"], ((0, 0), (0, 5))),
        "sentence_index": jnp.pad(batch["sentence_index"], ((0, 0), (0, 5)), constant_values=-1),
    }
    np.testing.assert_allclose(call(system, "loss", longer, rngs=None)[0], value, rtol=1e-5)
    without = batch["text_source"] == 0
    assert without.any()
    encoded = call(system, "encode", batch, rngs=None)
    spoiled = {**encoded, "sentences": jnp.where(without[:, None, None], 9.0, encoded["sentences"])}
    np.testing.assert_allclose(call(system, "objective", spoiled, batch)[0], value, rtol=1e-5)


def test_region_scores_have_one_value_per_region_of_the_stage():
    system = build("local_mutual_information", stage=-2)
    batch = make_batch(2)
    scores = call(system, "region_scores", batch["frontal"], batch["tokens"], batch["token_mask"])
    assert scores.shape == (2, 64)  # 32 px, stem and first stage halve it twice
    one = [batch[key][1:] for key in ("frontal", "tokens", "token_mask")]
    alone = call(system, "region_scores", *one)
    np.testing.assert_allclose(scores[1:], alone, atol=1e-5)


@pytest.mark.parametrize("name", ["mutual_information", "local_mutual_information"])
def test_text_scores_are_a_column_of_the_critics_matrix(name):
    system = build(name)
    batch = make_batch(3)
    texts = [batch[key] for key in ("tokens", "token_mask")]
    images = nnx.merge(*nnx.split(system)).image_encoder(system.preprocess(batch["frontal"]))
    places = images.pooled if name == "mutual_information" else regions(images, system.stage)
    matrix = pair_scores(system.critic, places, system._pooled(*texts), chunk=2)
    # What zero-shot takes, of all images at once.
    assert system.has_similarities
    every = call(system, "similarities", batch["frontal"], *texts)
    np.testing.assert_allclose(every, matrix.T, atol=1e-5)
    for k in range(3):
        scores = call(system, "text_scores", batch["frontal"][k : k + 1], *texts)
        np.testing.assert_allclose(scores, matrix[:, k], atol=1e-5)
