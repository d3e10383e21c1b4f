# SPDX-License-Identifier: Apache-2.0
"""Training starts from imported encoders; what does not fit is refused by name."""

import functools

import jax
import numpy as np
import optax
import pytest
from flax import nnx
from safetensors.numpy import load_file, save_file

from medst_jax import systems
from medst_jax.data.tokenize.foreign_tokenizer import ForeignTokenizer
from medst_jax.data.tokenize.tokenizer_definition import word_piece
from medst_jax.models import PretrainedError, ViT, ViTOptions, save_pretrained
from medst_jax.models.weights.foreign import arrays
from medst_jax.models.weights.public_weights import PUBLIC, PublicWeights
from medst_jax.options import OptionError, parse
from medst_jax.parallel import make_mesh
from medst_jax.train.initial_weights import load_initial
from medst_jax.train.named_weights import check_hidden_token, warn_frozen
from medst_jax.train.options import InitOptions, OptimizerOptions
from medst_jax.train.state import abstract_system, init_state
from tests.models import compiled

OPTIONS = dict(
    image=dict(name="resnet_small", widths=(4, 8), blocks=(1, 1), strides=(2, 2), stem_width=4),
    text=dict(name="bert_small", width=16, heads=2, mlp=32, max_length=8),
    preprocess=dict(size=16, mean=0.5, std=0.25, channels=1),
    joint=8,
    vocabulary_size=11,
)
SIZES = dict(width=12, depth=2, heads=3, patch=8, image_size=16, channels=1)
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "no", "a", "b", "c", "d", "e"]


def build():
    return systems.build("clip", **OPTIONS)


@pytest.fixture(scope="module")
def template():
    return abstract_system(build)


@pytest.fixture(scope="module")
def state():
    return init_state(build, optax.sgd(0.1), make_mesh(data=1), "dp", ema=0.9)


@pytest.fixture(scope="module")
def imported():
    return compiled.build(build, seed=3)


def options(**values):
    return parse(InitOptions, values, "config.init")


def test_both_encoders_and_the_average_start_from_the_files(tmp_path, state, template, imported):
    (tmp_path / "text").mkdir()
    save_pretrained(imported.image_encoder, tmp_path / "image.safetensors", "torchvision")
    save_pretrained(imported.text_encoder, tmp_path / "text" / "model.safetensors", "hf-bert")
    chosen = options(image=str(tmp_path / "image.safetensors"), text=str(tmp_path / "text"))
    loaded = load_initial(state, template, chosen, None)
    compared = 0
    for values, of in ((loaded.params, imported), (loaded.model_state, imported)):
        for path, value in values.items():
            node = of
            for step in path.split("/"):
                node = node[int(step)] if step.isdigit() else getattr(node, step)
            if path.startswith(("image_encoder/", "text_encoder/")):
                np.testing.assert_array_equal(value, node[...], err_msg=path)
                compared += 1
            else:
                np.testing.assert_array_equal(value, state.params[path], err_msg=path)
            assert value.sharding == {**state.params, **state.model_state}[path].sharding
    assert compared > 30
    assert jax.tree.all(jax.tree.map(np.array_equal, loaded.params, loaded.ema))
    assert int(loaded.step) == 0


@pytest.mark.parametrize("layout", ["timm", "mgca"])
def test_view_experts_start_as_the_mlp_of_a_vit(tmp_path, layout):
    vit = compiled.build(lambda: ViT(ViTOptions.small(**SIZES), rngs=nnx.Rngs(5)))
    file = tmp_path / "vit.safetensors"
    save_pretrained(vit, file, "timm")
    if layout == "mgca":
        tensors = load_file(file)
        save_file({f"img_encoder_q.model.{n}": t for n, t in tensors.items()}, file)
    image = dict(name="view_experts_small", **{k: SIZES[k] for k in ("width", "depth", "patch")})
    system = functools.partial(systems.build, "medst", **{**OPTIONS, "image": image, "hidden": 8})
    before = init_state(system, optax.sgd(0.1), make_mesh(data=1), "dp")
    chosen = options(image=str(file), layout=layout)
    loaded = load_initial(before, abstract_system(system), chosen, None)
    expected = {"/".join(map(str, path)): value for path, value in arrays(vit).items()}
    images = {p for p in loaded.params if p.startswith("image_encoder/")}
    assert len(images) > len(expected) > 10
    for path in images:
        of_frontal = path.removeprefix("image_encoder/").replace("_l/", "/")
        np.testing.assert_array_equal(loaded.params[path], expected[of_frontal], err_msg=path)
    rest = set(loaded.params) - images
    assert all(np.array_equal(loaded.params[p], before.params[p]) for p in rest)


def test_nothing_named_changes_nothing(state, template):
    assert load_initial(state, template, options(), None) is state


def test_refusals(tmp_path, state, template, imported):
    file = tmp_path / "model.safetensors"
    save_pretrained(imported.image_encoder, file, "torchvision")
    with pytest.raises(PretrainedError, match="does not fit Bert"):
        load_initial(state, template, options(text=str(file)), None)
    with pytest.raises(PretrainedError, match="layout 'timm' is for ViT, not ResNet"):
        load_initial(state, template, options(image=str(file), layout="timm"), None)
    unimodal = abstract_system(
        lambda: systems.build("unimodal", **{k: v for k, v in OPTIONS.items() if k != "text"},
                              labels=("Edema",))
    )  # fmt: skip
    with pytest.raises(OptionError, match=r"config.init.text .* has no such encoder"):
        load_initial(state, unimodal, options(text=str(file)), None)


def test_the_data_are_tokenised_as_the_encoder_was_trained(tmp_path, state, template, imported):
    save_pretrained(imported.text_encoder, tmp_path / "model.safetensors", "hf-bert")
    own = ForeignTokenizer(word_piece(PIECES, lower=True, strip_accents=None))
    (tmp_path / "tokenizer.json").write_bytes(own.definition)
    chosen = options(text=str(tmp_path))
    other = ForeignTokenizer(word_piece(PIECES, lower=False, strip_accents=None))
    for tokenizer in (None, other):
        with pytest.raises(OptionError, match="set config.data.vocabulary to"):
            load_initial(state, template, chosen, tokenizer)
    loaded = load_initial(state, template, chosen, own)
    table = loaded.params["text_encoder/word_embeddings"]
    np.testing.assert_array_equal(table, imported.text_encoder.word_embeddings[...])


def test_a_temporal_encoder_starts_from_the_weights_of_a_resnet(tmp_path, monkeypatch, imported):
    file = tmp_path / "weights" / "mine" / "model.safetensors"
    file.parent.mkdir(parents=True)
    save_pretrained(imported.image_encoder, file, "torchvision")
    known = PublicWeights("a small net", ("image",), "torchvision", "none", ("https://a/b",))
    monkeypatch.setitem(PUBLIC, "mine", known)
    pooler = dict(width=8, depth=1, heads=2)
    system = functools.partial(systems.build, "biovil_t", **OPTIONS, pooler=pooler)
    before = init_state(system, optax.sgd(0.1), make_mesh(data=1), "dp")
    chosen = options(image="mine", layout="mgca")  # the layout is that of a file given by path
    loaded = load_initial(before, abstract_system(system), chosen, None, str(tmp_path))
    expected = {"/".join(map(str, k)): v for k, v in arrays(imported.image_encoder).items()}
    start = "image_encoder/backbone/"
    values, old = (s.params | s.model_state for s in (loaded, before))
    assert {p.removeprefix(start) for p in values if p.startswith(start)} == set(expected)
    for path, value in values.items():
        wanted = expected[path.removeprefix(start)] if path.startswith(start) else old[path]
        np.testing.assert_array_equal(value, wanted, err_msg=path)


def test_frozen_random_parameters_are_said(caplog):
    rates = ((r"text_encoder/\w+_embeddings", 0.0), ("image_encoder", 0.0), ("text", 0.1))
    paths = ("text_encoder/word_embeddings", "text_encoder/norm/scale", "image_encoder/stem")
    warn_frozen(options(image="here"), paths, OptimizerOptions(1e-4, learning_rates=rates))
    (record,) = caplog.records
    assert "text_encoder/word_embeddings is frozen" in record.getMessage()
    layers = OptimizerOptions(1e-4, frozen_layers=(("text_encoder/layers/", 6),))
    warn_frozen(options(), ("text_encoder/layers/kernel", "image_encoder/stem"), layers)
    assert "text_encoder/layers/kernel is frozen" in caplog.records[1].getMessage()


def test_words_are_hidden_behind_the_token_of_the_vocabulary():
    tokenizer = ForeignTokenizer(word_piece(PIECES, lower=True, strip_accents=None))
    check_hidden_token({"mask": {"rate": 0.15, "token": 4}}, tokenizer)
    check_hidden_token({}, tokenizer)
    with pytest.raises(OptionError, match="mask.token is 103, but .* is 4; set it"):
        check_hidden_token({"mask": {"token": 103}}, tokenizer)
