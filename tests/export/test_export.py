# SPDX-License-Identifier: Apache-2.0
"""Exports read back as the system that went in; occupied folders and damage are refused."""

import dataclasses
import importlib.util
import json

import jax
import numpy as np
import pytest
import safetensors.numpy
from flax import nnx
from jax import export as jax_export

from medst_jax import systems
from medst_jax.export import weights
from medst_jax.export.checkpoint import export_checkpoint, read_rows
from medst_jax.export.errors import ExportError
from medst_jax.models import from_pretrained
from medst_jax.train.checkpoint import LoadedSystem
from tests.models import compiled

RESNET = dict(name="resnet_small", widths=(6, 12), blocks=(1, 1), strides=(2, 2), stem_width=4)
VIT = dict(name="vit_small", width=16, heads=2, depth=2)
BERT = dict(name="bert_small", width=16, heads=2, mlp=32, max_length=12)
OPTIONS = dict(
    joint=8,
    preprocess=dict(size=16, mean=0.5, std=0.25, channels=1),
    labels=("Edema", "Fracture"),
    vocabulary_size=50,
    text=BERT,
)
ROW = dict(system="dlilp", dataset="site", task="edema", protocol="zero_shot", metric="auc")


def loaded(image=RESNET, name="dlilp", seed=0) -> LoadedSystem:
    encoders = {} if name == "cxr_bert" else dict(image=image)
    return LoadedSystem(
        system=compiled.build(lambda: systems.build(name, **OPTIONS, **encoders), seed),
        tokenizer=None,
        config={
            "seed": 5,
            "data": {"size": 24, "text_length": 12, "data_dir": "no", "mixture": {"m": {}}},
        },
        stamp={
            "global_batch": 4,
            "fingerprints": {"m": "abcdef" * 8},
            "intensity": {"m": "none"},
            "excluded_patients": 3,
        },
        step=7,
        name=name,
    )


def embed(system, images):
    graphdef, state = nnx.split(system)
    return jax.jit(lambda state: nnx.merge(graphdef, state).encode_image(images))(state)


@pytest.mark.parametrize(("image", "layout"), [(RESNET, "torchvision"), (VIT, "timm")])
def test_safetensors_give_the_system_back(tmp_path, image, layout):
    run, folder = loaded(image), tmp_path / "out"
    rows = [{**ROW, "value": 0.8125, "low": 0.7, "high": 0.9, "n": 40, "seed": 0}]
    summary = {"examples_per_second": 0.5, "devices": 2}
    export_checkpoint(run, "safetensors", folder, rows=rows, summary=summary)
    assert sorted(p.name for p in folder.iterdir()) == [
        "README.md",
        "config.json",
        "heads.safetensors",
        "labels.json",
        "model.safetensors",
        "text_encoder",
    ]
    encoder, _ = from_pretrained(folder, layout)
    images = np.random.default_rng(0).integers(0, 256, (2, 24, 24, 1), np.uint8)
    expected = embed(run.system, images)
    features = compiled.run(encoder, run.system.preprocess(images)).pooled
    np.testing.assert_allclose(features, expected.features, atol=1e-5)

    heads = safetensors.numpy.load_file(folder / "heads.safetensors")
    projected = features @ heads["image_projection.weight"].T
    projected /= np.linalg.norm(projected, axis=-1, keepdims=True)
    np.testing.assert_allclose(projected, expected.global_, atol=1e-5)

    config = json.loads((folder / "config.json").read_text())
    assert config["preprocess"]["size"] == 16
    assert config["heads"]["image_projection.weight"] == [8, encoder.features]
    assert json.loads((folder / "labels.json").read_text()) == ["Edema", "Fracture"]
    card = (folder / "README.md").read_text()
    for words in ("dlilp", "abcdefabcdef", "0.812", "Research only", "7 training steps"):
        assert words in card
    for words in ("stored at 24 px", "28 image-steps, 0.0311 chip-hours on 2 devices", "seed: 5"):
        assert words in card

    text, _ = from_pretrained(folder / "text_encoder", "hf-bert")
    assert text.options.max_length == 12


def test_stablehlo_runs_on_any_batch(tmp_path):
    run = loaded()
    export_checkpoint(run, "stablehlo", tmp_path / "out")
    program = jax_export.deserialize(
        bytearray((tmp_path / "out" / "encode_image.jax_export").read_bytes())
    )
    images = np.random.default_rng(0).integers(0, 256, (5, 24, 24, 1), np.uint8)
    found, expected = program.call(images), embed(run.system, images)
    assert set(found) == {"global_", "local", "features"}
    for name, value in found.items():
        np.testing.assert_allclose(value, getattr(expected, name), atol=1e-5)

    # The loader that lies in the folder knows nothing of this package.
    file = tmp_path / "out" / "load_exported.py"
    assert "medst_jax" not in file.read_text()
    spec = importlib.util.spec_from_file_location("load_exported", file)
    loader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loader)
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert set(config["programs"]) == {"encode_image", "encode_text", "zero_shot", "class_logits"}
    tokens, mask = np.full((2, 12), 7, np.int32), np.arange(12)[None] < np.array([[12], [4]])
    texts = loader.load(tmp_path / "out", "encode_text")(tokens, mask)["global_"]
    np.testing.assert_allclose(texts, run.system.encode_text(tokens, mask).global_, atol=1e-5)
    scores = loader.load(tmp_path / "out", "zero_shot")(images, texts)["scores"]
    wanted = run.system.scale() * expected.global_ @ np.asarray(texts).T
    np.testing.assert_allclose(scores, wanted, atol=1e-4)
    with pytest.raises(KeyError, match="no program 'decode'"):
        loader.load(tmp_path / "out", "decode")


def test_stablehlo_crops_as_the_system_does(tmp_path):
    run = loaded()
    run.system.preprocess = dataclasses.replace(run.system.preprocess, crop_from=24)
    export_checkpoint(run, "stablehlo", tmp_path / "out")
    program = jax_export.deserialize(
        bytearray((tmp_path / "out" / "encode_image.jax_export").read_bytes())
    )
    images = np.random.default_rng(0).integers(0, 256, (2, 24, 24, 1), np.uint8)
    run.system.preprocess = dataclasses.replace(run.system.preprocess, crop_from=None)
    expected = embed(run.system, images[:, 4:20, 4:20])
    np.testing.assert_allclose(program.call(images)["global_"], expected.global_, atol=1e-5)
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert (config["preprocess"]["crop_from"], config["preprocess"]["size"]) == (24, 16)


def test_a_system_without_text_exports(tmp_path):
    run = loaded(name="dlilp")
    run.system.text_encoder = None
    export_checkpoint(run, "safetensors", tmp_path / "out")
    assert not (tmp_path / "out" / "text_encoder").exists()


def test_a_system_without_images_exports(tmp_path):
    run = loaded(name="cxr_bert")
    export_checkpoint(run, "safetensors", tmp_path / "out")
    assert not (tmp_path / "out" / "model.safetensors").exists()
    text, _ = from_pretrained(tmp_path / "out" / "text_encoder", "hf-bert")
    tokens, mask = np.full((2, 12), 7, np.int32), np.arange(12)[None] < np.array([[12], [4]])
    graphdef, state = nnx.split(run.system)
    expected = jax.jit(lambda s: nnx.merge(graphdef, s).encode_text(tokens, mask))(state)
    found = compiled.run(text, tokens, mask).hidden_states[-1][:, 0]
    np.testing.assert_allclose(found, expected.features, atol=1e-5)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "`Bert` (hf-bert names)" in card and "model.safetensors" not in card
    export_checkpoint(run, "stablehlo", tmp_path / "programs")
    config = json.loads((tmp_path / "programs" / "config.json").read_text())
    assert set(config["programs"]) == {"encode_text"}
    program = jax_export.deserialize(
        bytearray((tmp_path / "programs" / "encode_text.jax_export").read_bytes())
    )
    np.testing.assert_allclose(program.call(tokens, mask)["global_"], expected.global_, atol=1e-5)


def test_earlier_exports_are_replaced_and_other_folders_are_not(tmp_path):
    run, folder = loaded(), tmp_path / "out"
    export_checkpoint(run, "safetensors", folder)
    export_checkpoint(dataclasses.replace(run, step=9), "safetensors", folder)
    assert json.loads((folder / "config.json").read_text())["step"] == 9
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text("{}")
    with pytest.raises(ExportError, match="not empty and not an earlier export"):
        export_checkpoint(run, "safetensors", other)
    assert (other / "config.json").read_text() == "{}"
    with pytest.raises(ExportError, match="'onnx' is unknown"):
        export_checkpoint(run, "onnx", folder)


def test_a_failed_check_leaves_the_earlier_export(tmp_path, monkeypatch):
    run, folder = loaded(), tmp_path / "out"
    export_checkpoint(run, "safetensors", folder)
    other = loaded(seed=5).system.image_encoder

    def damaged(path, layout):
        return other, None

    monkeypatch.setattr(weights, "from_pretrained", damaged)
    with pytest.raises(ExportError, match="outputs differ"):
        export_checkpoint(dataclasses.replace(run, step=9), "safetensors", folder)
    assert json.loads((folder / "config.json").read_text())["step"] == 7
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_weights_that_are_not_finite_are_refused(tmp_path):
    run = loaded()
    kernel = run.system.image_encoder.conv1.kernel
    kernel[...] = kernel[...] * jax.numpy.nan
    with pytest.raises(ExportError, match="not finite"):
        export_checkpoint(run, "safetensors", tmp_path / "out")


def test_rows_of_metrics(tmp_path):
    file = tmp_path / "metrics.json"
    with pytest.raises(ExportError, match="does not exist"):
        read_rows(file)
    file.write_text(json.dumps([ROW]))
    assert read_rows(file) == [ROW]
    file.write_text("3")
    with pytest.raises(ExportError, match="not a list"):
        read_rows(file)
