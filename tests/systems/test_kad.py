# SPDX-License-Identifier: Apache-2.0
"""KAD's two stages: what its losses are made of, what is frozen, what stage two takes over."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medst_jax import systems
from medst_jax.export.weights import write_heads
from medst_jax.losses import clip_loss, concept_similarity, query_loss, soft_target_clip_loss
from medst_jax.options import OptionError
from medst_jax.parallel.mesh import make_mesh
from medst_jax.systems.parts.pairs import negative_mask, paired
from medst_jax.train.initial_weights import load_initial
from medst_jax.train.optimizer import make_optimizer
from medst_jax.train.options import InitOptions, OptimizerOptions
from medst_jax.train.state import abstract_system, init_state, split
from tests.systems.make_batch import OPTIONS, OWN, TEXT, call, make_batch


def build(**changes):
    return systems.build("kad", **{**OPTIONS, **TEXT, **OWN["kad"], **changes})


def knowledge(**changes):
    return systems.build("kad_knowledge", **{**TEXT, "joint": 16, "vocabulary_size": 50, **changes})


@pytest.fixture(scope="module")
def encoded():
    return call(build(), "encode", make_batch(), rngs=jax.random.key(1))


@pytest.mark.parametrize("blank", ["mask", "negative"])
def test_the_loss_is_two_questions_and_a_contrast(blank, encoded):
    batch = make_batch()
    batch["has_frontal"] = jnp.arange(6) != 3
    system = build(blank=blank, text_weight=0.5, contrast_weight=0.25)
    total, metrics = call(system, "objective", encoded, batch)
    codes = np.asarray(batch["entities"])
    if blank == "negative":
        codes = np.where((codes == -1) | (codes == -2), 0, codes)
    seen = np.where(np.asarray(batch["has_frontal"])[:, None], codes, -3)
    read = np.where((np.asarray(batch["text_source"]) > 0)[:, None], codes, -3)
    of_image = query_loss(encoded["image_logits"], seen)
    of_text = query_loss(encoded["text_logits"], read)
    contrast = clip_loss(
        encoded["image"],
        encoded["text"],
        1 / 0.07,
        mask=paired(batch),
        negative_mask=negative_mask(batch),
    )
    np.testing.assert_allclose(total, of_image + 0.5 * of_text + 0.25 * contrast, rtol=1e-5)
    np.testing.assert_allclose(metrics["contrast_loss"][0], contrast, rtol=1e-5)


def test_the_report_is_one_key_of_the_same_decoder(encoded):
    system, batch = build(), make_batch()
    quiet = call(system, "encode", batch, rngs=None)
    report = call(system, "describe", batch["tokens"], batch["token_mask"])
    answers = system.decoder(system.entity_vectors[...], report[:, None]).features
    np.testing.assert_allclose(system.classifier(answers), quiet["text_logits"], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(encoded["text"], axis=1), 1, atol=1e-5)


def test_encoder_and_head_of_texts_are_frozen():
    parameters = nnx.to_flat_state(nnx.state(build(), nnx.Param))
    assert not {path[0] for path, _ in parameters} & {"text_encoder", "text_head"}


def test_it_scores_texts_by_cosines_and_by_the_decoder():
    system, batch = build(), make_batch(3)
    assert type(system).has_text and system.has_similarities
    texts = batch["tokens"], batch["token_mask"]
    scores = call(system, "similarities", batch["frontal"], *texts)
    each = [call(system, "text_scores", batch["frontal"][i : i + 1], *texts) for i in range(3)]
    np.testing.assert_allclose(scores, np.stack(each), atol=1e-5)


def test_stage_one_shares_targets_among_texts_of_one_concept():
    system, batch = knowledge(), make_batch()
    encoded = call(system, "encode", batch, rngs=None)
    total, _ = call(system, "objective", encoded, batch)
    wanted = soft_target_clip_loss(
        encoded["one"], encoded["two"], 1 / 0.07, concept_similarity(batch["concept"])
    )
    np.testing.assert_allclose(total, wanted, rtol=1e-5)
    own = {**batch, "concept": jnp.full(6, -1)}
    assert call(system, "objective", encoded, own)[0] != total
    chunked = knowledge(loss_form="chunked", loss_chunk=4)
    np.testing.assert_allclose(call(chunked, "objective", encoded, batch)[0], total, rtol=1e-5)


def _state(template):
    optimizer, _ = make_optimizer(OptimizerOptions(1e-3), 10, split(template)[1])
    return init_state(build, optimizer, make_mesh(), "dp")


def test_stage_two_takes_over_encoder_and_head(tmp_path):
    first = knowledge(seed=7)
    write_heads(first, tmp_path)
    template = abstract_system(build)
    options = InitOptions(heads=str(tmp_path / "heads.safetensors"))
    state = _state(template)
    loaded = load_initial(state, template, options, None)
    kernel = "text_head/fc2/kernel"
    np.testing.assert_array_equal(loaded.model_state[kernel], first.text_head.fc2.kernel[...])
    assert not np.array_equal(
        loaded.model_state["entity_vectors"], state.model_state["entity_vectors"]
    )
    # The vectors of the list are those of the loaded head.
    other = build()
    for name in ("pooler", "fc1", "fc2"):
        for part in ("kernel", "bias"):
            value = getattr(getattr(first.text_head, name), part)[...]
            getattr(getattr(other.text_head, name), part).set_value(value)
    other.prepare()
    np.testing.assert_allclose(
        loaded.model_state["entity_vectors"], other.entity_vectors[...], atol=1e-5
    )
    with pytest.raises(OptionError, match=r"give its heads.safetensors in config.init.heads"):
        load_initial(state, template, InitOptions(text=str(tmp_path / "x.safetensors")), None)
    clip = abstract_system(lambda: systems.build("clip", **{**OPTIONS, **TEXT}))
    with pytest.raises(OptionError, match="takes over no heads"):
        load_initial(state, clip, options, None)
