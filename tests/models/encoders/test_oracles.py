# SPDX-License-Identifier: Apache-2.0
"""View experts, temporal pooler, heads and word pieces against reference numbers."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from flax import nnx

from medst_jax.models import (
    BatchNormHead,
    ClassTokenHead,
    MixtureOfViewExperts,
    PatchProjector,
    aggregate_words,
    from_pretrained,
    unit_norm,
    word_numbers,
)
from medst_jax.models.encoders.temporal_pooler import TemporalPooler, sine_positions
from medst_jax.models.weights import foreign
from medst_jax.models.weights.layouts.biovil import pooler_slots
from medst_jax.models.weights.part_tables import class_token_slots, projector_slots
from tests.models.compiled import build, run


def channels_last(x):
    return np.moveaxis(np.asarray(x), 1, -1).astype(np.float32)


def filled(module, slots, weights):
    """The module with the weights of an oracle, by the tables that read released files."""
    values = foreign.arrays(module)
    for slot in slots:
        target = values[slot.path][slot.index]
        tensor = weights[slot.name].astype(np.float32)
        assert tensor.shape == slot.form.outward(target).shape, slot.name
        values[slot.path][slot.index] = slot.form.inward(tensor, target.shape)
    foreign.assign(module, values)
    return module


@pytest.fixture(scope="module")
def view_experts(shared, tmp_path_factory):
    data = dict(np.load(shared / "oracle" / "medst_move.npz"))
    folder = tmp_path_factory.mktemp("medst")
    weights = {name[2:]: value for name, value in data.items() if name.startswith("w:")}
    safetensors.numpy.save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"num_heads": int(data["num_heads"])}))
    module, _ = from_pretrained(folder, "medst")
    assert type(module) is MixtureOfViewExperts
    return module, data


def test_view_experts(view_experts):
    module, data = view_experts
    frontal, lateral = channels_last(data["frontal"]), channels_last(data["lateral"])
    out = run(module, frontal, lateral, data["missing_lateral"] == 0)
    np.testing.assert_allclose(out.tokens, data["out_dual"], atol=1e-4)
    single = run(module, frontal[:2])
    np.testing.assert_allclose(single.tokens, data["out_single_frontal"], atol=1e-4)
    graphdef, state = nnx.split(module)
    # The oracle sends the frontal images through the lateral expert.
    other = jax.jit(lambda s, x: nnx.merge(graphdef, s)(x, view="lateral"))(state, frontal[:2])
    np.testing.assert_allclose(other.tokens, data["out_single_lateral"], atol=1e-4)


def test_what_an_absent_lateral_image_shows_changes_no_other_token(view_experts):
    module, data = view_experts
    frontal, lateral = channels_last(data["frontal"]), channels_last(data["lateral"])
    present = data["missing_lateral"] == 0
    first = run(module, frontal, lateral, present).tokens[:, :197]
    noise = np.where(present[:, None, None, None], lateral, lateral + 3.0)
    second = run(module, frontal, noise, present).tokens[:, :197]
    np.testing.assert_allclose(first, second, atol=1e-5)


@pytest.fixture(scope="module")
def himl(shared):
    return dict(np.load(shared / "oracle" / "himl.npz"))


def part(data, prefix):
    return {k.removeprefix(prefix): v for k, v in data.items() if k.startswith(prefix)}


def test_temporal_pooler_and_its_gradient(himl):
    make = lambda: TemporalPooler(32, depth=3, heads=int(himl["vit_heads"]), rngs=nnx.Rngs(0))
    pooler = build(make)
    filled(pooler, pooler_slots(3), part(himl, "vit:"))
    current, prior = channels_last(himl["vit_current"]), channels_last(himl["vit_previous"])
    out = run(pooler, current, prior)
    np.testing.assert_allclose(out, channels_last(himl["vit_out"]), atol=1e-4)
    alone = run(pooler, current, None)
    np.testing.assert_allclose(alone, channels_last(himl["vit_out_single"]), atol=1e-4)
    graphdef, state = nnx.split(pooler)

    def total(current, prior):
        return jnp.square(nnx.merge(graphdef, state)(current, prior)).sum()

    value, gradients = jax.jit(jax.value_and_grad(total, (0, 1)))(current, prior)
    np.testing.assert_allclose(value, himl["vit_sum_sq"], rtol=1e-5)
    for found, name in zip(gradients, ("current", "previous"), strict=True):
        np.testing.assert_allclose(found, channels_last(himl[f"vit_grad_{name}"]), atol=1e-4)


def test_sine_positions(himl):
    places = sine_positions(3, 4, 32)
    np.testing.assert_allclose(places, himl["vit_pos_embed"][0], atol=1e-5)
    places = sine_positions(14, 14, 256)
    np.testing.assert_allclose(places, himl["pos_embed_256_14x14"][0], atol=1e-5)


def test_patch_projector(himl):
    head = build(lambda: PatchProjector(64, 8, 8, rngs=nnx.Rngs(0)))
    filled(head, projector_slots(head), part(himl, "proj:"))
    grid = channels_last(himl["proj_in"])
    out = run(head, grid)
    np.testing.assert_allclose(out, channels_last(himl["proj_patch_eval"]), atol=1e-4)
    np.testing.assert_allclose(out.mean((1, 2)), himl["proj_global_eval"], atol=1e-4)
    trained = head(jnp.asarray(grid), train=True)
    np.testing.assert_allclose(trained, channels_last(himl["proj_patch_train"]), atol=1e-4)
    for found, name in ((head.norm.mean, "mean"), (head.norm.var, "var")):
        np.testing.assert_allclose(found[...], himl[f"proj_running_{name}_after_train"], atol=1e-5)


def test_class_token_head(himl):
    head = build(lambda: ClassTokenHead(24, 8, rngs=nnx.Rngs(0)))
    filled(head, class_token_slots(head), part(himl, "bert:"))
    out = run(head, himl["bert_in"].astype(np.float32))
    np.testing.assert_allclose(out, himl["bert_out"], atol=1e-4)
    np.testing.assert_allclose(unit_norm(out), himl["bert_out_l2"], atol=1e-5)


def test_word_pieces(shared):
    data = np.load(shared / "oracle" / "wordpiece_aggregation.npz")
    pieces = data["vocab"][data["ids"]]
    mask = pieces != "[PAD]"
    continues = np.char.startswith(pieces, "##")
    numbers = word_numbers(jnp.asarray(continues), jnp.asarray(mask))
    words, found = aggregate_words(jnp.asarray(data["emb"][:, 0], jnp.float32), numbers)
    compared = 0
    for row, expected in enumerate(data["out_words"]):
        if mask[row].all():
            # The reference loses the last word and [SEP] of a text that fills all tokens; what
            # comes before them is compared.
            kept = int((expected != "[PAD]").sum())
        else:
            kept = int(found[row].sum())
            assert kept == (expected != "[PAD]").sum()
            np.testing.assert_allclose(words[row, kept:], 0.0)
        reference = data["out_emb"][row, 0, :kept]
        np.testing.assert_allclose(words[row, :kept], reference, atol=1e-5)
        compared += kept
    assert compared > 10


@pytest.mark.skip(
    reason="out_attn pairs each token with the attention of the next one, a fault of the "
    "release: SYSTEMS block C; tests/models/test_words.py sums by hand"
)
def test_word_piece_attention_of_the_release():
    raise AssertionError


def test_batch_norm_head_by_numpy():
    head = build(lambda: BatchNormHead(5, 4, 3, rngs=nnx.Rngs(0)))
    x = np.random.default_rng(0).normal(size=(2, 6, 5)).astype(np.float32)
    state = {
        "/".join(map(str, k)): np.asarray(v[...]) for k, v in nnx.to_flat_state(nnx.state(head))
    }

    def normed(y, name, batch):
        axes = tuple(range(y.ndim - 1))
        mean = y.mean(axes) if batch else state[f"{name}/mean"]
        var = y.var(axes) if batch else state[f"{name}/var"]
        y = (y - mean) / np.sqrt(var + 1e-5)
        return y * state.get(f"{name}/scale", 1.0) + state.get(f"{name}/bias", 0.0)

    for batch in (False, True):
        y = normed(x @ state["fc1/kernel"] + state["fc1/bias"], "norm1", batch)
        y = np.maximum(y, 0) @ state["fc2/kernel"] + state["fc2/bias"]
        expected = normed(y, "norm2", batch)
        found = head(jnp.asarray(x), train=batch)
        np.testing.assert_allclose(found, expected, atol=1e-5)
