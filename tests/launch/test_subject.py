# SPDX-License-Identifier: Apache-2.0
"""Encoders of other projects as `evaluate --weights` reads them."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest

from medst_jax.commands.parts.subject import Request, starts_of, subject_of
from medst_jax.models.weights.pretrained import from_pretrained
from medst_jax.models.weights.stated_layout import stated_layout
from tests.models.compiled import run
from tests.models.weights import public_files

STORED = pathlib.Path(__file__).parents[1] / "models" / "weights" / "stored"
RESNET = STORED / "torch_resnet_basic.safetensors"


def embedder(tmp_path, **changes):
    request = Request(
        weights=str(RESNET), layout="torchvision", data_dir=str(tmp_path), batch_size=2, **changes
    )
    context, _, _ = subject_of(request)
    assert context.data.size == context.embedder.size
    return context.embedder


def test_weights_see_the_centre_of_what_is_resized(tmp_path):
    cropped, plain = embedder(tmp_path, size=32, crop_from=40), embedder(tmp_path, size=32)
    assert (cropped.size, cropped.window) == (40, (4, 36))
    assert (plain.size, plain.window) == (32, (0, 32))
    images = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 1), dtype=np.uint8)
    got, expected = cropped.images(images), plain.images(images[:, 4:36, 4:36])
    np.testing.assert_allclose(got.features, expected.features, atol=1e-5)
    assert not np.allclose(got.features, plain.images(images[:, :32, :32]).features, atol=1e-3)


def test_a_crop_that_does_not_fit_is_named(tmp_path):
    with pytest.raises(ValueError, match="crop_from is 24, less than preprocess.size, 32"):
        embedder(tmp_path, size=32, crop_from=24)


def folder_of(tmp_path, name):
    """A folder of an encoder with the file of its preprocessing."""
    tensors, config = getattr(public_files, name)()
    folder = public_files.write(tmp_path / name, tensors, config)
    processor = {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4], "resample": 3}
    if name == "siglip":
        processor["size"] = {"height": 14, "width": 14}  # the so400m of 384 px has no whole patches
    else:
        processor |= {"size": {"shortest_edge": 18}, "crop_size": 12, "do_center_crop": True}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder


@pytest.mark.parametrize("name", ["siglip", "clip", "dinov2", "dinov3"])
def test_a_folder_says_its_layout_and_its_images(tmp_path, name):
    folder = folder_of(tmp_path, name)
    request = Request(weights=str(folder), data_dir=str(tmp_path), batch_size=2)
    context, system, facts = subject_of(request)
    assert (system.name, facts["layout"]) == (name, f"hf-{name}")
    assert context.data.fit == ("stretch" if name == "siglip" else "crop")
    assert context.data.size == context.embedder.size == (14 if name == "siglip" else 18)
    images = np.random.default_rng(0).integers(0, 256, (2, *[context.data.size] * 2, 1), np.uint8)
    found = context.embedder.images(images).features
    module, _ = from_pretrained(folder, f"hf-{name}")
    cut = images if name == "siglip" else images[:, 3:15, 3:15]
    mean, std = np.array([0.4, 0.5, 0.6]), np.array([0.2, 0.3, 0.4])
    out = run(getattr(module, "image", module), ((cut / 255 - mean) / std).astype(np.float32))
    expected = out.features if hasattr(out, "features") else out.pooled
    np.testing.assert_allclose(found, expected, atol=2e-5)
    # Flags go before the files.
    given = subject_of(dataclasses.replace(request, size=12, fit="pad", mean=0.5, std=0.5))
    assert (given[0].data.size, given[0].data.fit) == (12, "pad")
    assert "by flags" in given[2]["images"]


def test_what_no_file_says_is_asked_for(tmp_path):
    request = Request(weights=str(RESNET), data_dir=str(tmp_path))
    with pytest.raises(ValueError, match="do not say their layout; give --layout"):
        subject_of(request)
    with pytest.raises(ValueError, match="do not say the size of its images; give --size"):
        subject_of(dataclasses.replace(request, layout="torchvision"))


@pytest.mark.parametrize(
    ("name", "config", "layout"),
    [
        ("config.json", {"model_type": "dinov2_with_registers"}, "hf-dinov2"),
        ("config.json", {"architecture": "vit_base_patch16_224"}, "timm"),
        ("config.json", {"architecture": "resnet50"}, None),
        ("config.json", {"encoder": {"layout": "torchvision"}}, "torchvision"),
        ("config.json", {"model_type": "llama"}, None),
        ("open_clip_config.json", {"model_cfg": {"vision_cfg": {}, "text_cfg": {}}}, "open-clip"),
        (
            "open_clip_config.json",
            {
                "model_cfg": {
                    "vision_cfg": {"timm_model_name": "vit_base_patch16_224"},
                    "text_cfg": {"hf_model_name": "bert"},
                }
            },
            "biomedclip",
        ),
    ],
)
def test_layouts_that_configs_state(tmp_path, name, config, layout):
    assert stated_layout(tmp_path) is None
    (tmp_path / name).write_text(json.dumps(config))
    assert stated_layout(tmp_path) == layout


def test_what_a_training_started_from_is_known_by_name_or_told():
    init = {"image": "resnet50_imagenet_v1", "text": "runs/knowledge", "trained_on": ""}
    image, text = starts_of(init, "")
    assert image.sets == {} and text.sets is None
    assert [t.sets for t in starts_of({**init, "trained_on": "none"}, "")] == [{}, {}]
    told = starts_of({**init, "trained_on": "none"}, "brax:train")  # the later word counts
    assert [t.sets for t in told] == [{"brax": "train"}] * 2
    assert starts_of({}, "") == starts_of({"image": "", "text": ""}, "") == ()
    with pytest.raises(ValueError, match="started from random weights"):
        starts_of({"image": ""}, "brax:train")
