# SPDX-License-Identifier: Apache-2.0
"""Foreign weights: round trips, sizes from tensors, and refusals that name the tensor."""

import dataclasses
import json
import pathlib
import pickle

import jax
import numpy as np
import pytest
import safetensors.numpy
from flax import nnx

from medst_jax.models import (
    Bert,
    BertOptions,
    HybridViewExperts,
    HybridViewExpertsOptions,
    PretrainedError,
    ResNet,
    ResNetOptions,
    ViT,
    ViTOptions,
    from_pretrained,
    load_pretrained,
    save_pretrained,
)
from medst_jax.models.weights.foreign import arrays
from tests.models.compiled import build, run

DATA = pathlib.Path(__file__).parent / "stored"


def resnet(seed: int = 0, **changes) -> ResNet:
    sizes = dict(widths=(8, 16), blocks=(2, 1), strides=(1, 2), stem_width=8)
    options = ResNetOptions.small(**{**sizes, **changes})
    return build(lambda: ResNet(options, rngs=nnx.Rngs(0)), seed)


def vit(seed: int = 0, **changes) -> ViT:
    sizes = dict(width=64, depth=2, heads=1, image_size=32)
    options = ViTOptions.small(**{**sizes, **changes})
    return build(lambda: ViT(options, rngs=nnx.Rngs(0)), seed)


def bert(seed: int = 0) -> Bert:
    options = BertOptions.small(30, width=64, heads=1, mlp=32, max_length=16)
    return build(lambda: Bert(options, rngs=nnx.Rngs(0)), seed)


def hybrid_experts(seed: int = 0) -> HybridViewExperts:
    backbone = resnet(strides=(2, 2), channels=1).options
    sizes = dict(patch=8, width=64, depth=2, heads=1, channels=1, backbone=backbone)
    options = HybridViewExpertsOptions.small(**sizes)
    return build(lambda: HybridViewExperts(options, rngs=nnx.Rngs(0)), seed)


MODULES = [("torchvision", resnet), ("timm", vit), ("hf-bert", bert)]


@pytest.mark.parametrize(("layout", "make"), MODULES)
def test_round_trip(tmp_path, layout, make):
    source, target = make(0), make(1)
    save_pretrained(source, tmp_path / "model.safetensors", layout)
    load_pretrained(target, tmp_path, layout)
    rebuilt, tokenizer = from_pretrained(tmp_path / "model.safetensors", layout)
    assert tokenizer is None
    expected = arrays(source)
    for module in (target, rebuilt):
        found = arrays(module)
        assert found.keys() == expected.keys()
        for path in expected:
            np.testing.assert_array_equal(found[path], expected[path], err_msg=str(path))


def test_a_hybrid_has_timms_names_around_torchvisions_and_needs_its_config(tmp_path):
    source, target = hybrid_experts(0), hybrid_experts(1)
    save_pretrained(source, tmp_path / "model.safetensors", "medst")
    saved = safetensors.numpy.load_file(tmp_path / "model.safetensors")
    assert saved["patch_embed.proj.weight"].shape == (64, 16, 1, 1)
    assert saved["patch_embed.backbone.layer1.0.conv1.weight"].shape == (8, 8, 3, 3)
    assert "patch_embed.backbone.bn1.num_batches_tracked" in saved
    assert "blocks.1.mlp_l.fc1.weight" in saved
    load_pretrained(target, tmp_path, "medst")
    with pytest.raises(PretrainedError, match=r"strides of a hybrid .* put the config.json"):
        from_pretrained(tmp_path, "medst")
    described = {"encoder": {"options": dataclasses.asdict(source.options)}}
    (tmp_path / "config.json").write_text(json.dumps(described))
    rebuilt, _ = from_pretrained(tmp_path, "medst")
    expected = arrays(source)
    for module in (target, rebuilt):
        found = arrays(module)
        assert found.keys() == expected.keys()
        for path in expected:
            np.testing.assert_array_equal(found[path], expected[path], err_msg=str(path))


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_sizes_from_torch_tensors_with_the_classifier_left_out(block):
    file = DATA / f"torch_resnet_{block}.safetensors"
    module, _ = from_pretrained(file, "torchvision")
    data = np.load(DATA / f"torch_resnet_{block}.npz")
    np.testing.assert_allclose(run(module, data["images"]).pooled, data["pooled"], atol=1e-5)


def test_saved_names_are_those_of_torch(tmp_path):
    file = DATA / "torch_resnet_bottleneck.safetensors"
    module, _ = from_pretrained(file, "torchvision")
    save_pretrained(module, tmp_path / "model.safetensors", "torchvision")
    original = safetensors.numpy.load_file(file)
    saved = safetensors.numpy.load_file(tmp_path / "model.safetensors")
    assert set(saved) == set(original)
    for name, tensor in saved.items():
        assert tensor.dtype == original[name].dtype, name
        np.testing.assert_array_equal(tensor, original[name], err_msg=name)
    # A module that came from nowhere has no classifier and counters of zero.
    fresh = build(lambda: ResNet(module.options, rngs=nnx.Rngs(0)))
    save_pretrained(fresh, tmp_path / "model.safetensors", "torchvision")
    names = set(safetensors.numpy.load_file(tmp_path / "model.safetensors"))
    assert names == {name for name in original if not name.startswith("fc.")}


def test_resnet50_has_torchvisions_size():
    shapes = nnx.eval_shape(lambda: ResNet(ResNetOptions.resnet50(), rngs=nnx.Rngs(0)))
    sizes = [leaf.size for leaf in jax.tree.leaves(nnx.state(shapes, nnx.Param))]
    assert sum(sizes) == 25_557_032 - 2048 * 1000 - 1000


def test_vit_b16_has_timms_size():
    shapes = nnx.eval_shape(lambda: ViT(ViTOptions.vit_b16(), rngs=nnx.Rngs(0)))
    sizes = [leaf.size for leaf in jax.tree.leaves(nnx.state(shapes, nnx.Param))]
    assert sum(sizes) == 86_567_656 - 768 * 1000 - 1000


def test_config_beside_the_weights_gives_the_sizes(tmp_path):
    source = resnet(strides=(2, 2))
    save_pretrained(source, tmp_path / "model.safetensors", "torchvision")
    options = dict(widths=[8, 16], blocks=[2, 1], strides=[2, 2], stem_width=8)
    options |= dict(block="basic", stem="small")
    config = {"architecture": {"options": options}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    module, _ = from_pretrained(tmp_path, "torchvision")
    assert module.options.strides == (2, 2)


def test_grey_images_need_the_sum_by_name(tmp_path):
    file = tmp_path / "model.safetensors"
    source, target = resnet(0), resnet(1, channels=1)
    save_pretrained(source, file, "torchvision")
    with pytest.raises(PretrainedError, match='conv1.weight.*input_channels="sum"'):
        load_pretrained(target, file, "torchvision")
    load_pretrained(target, file, "torchvision", input_channels="sum")
    grey = jax.random.normal(jax.random.key(0), (2, 16, 16, 1))
    expected = run(source, np.repeat(grey, 3, axis=-1)).pooled
    np.testing.assert_allclose(run(target, grey).pooled, expected, atol=1e-5)


def test_misfits_name_tensor_shapes_and_file_and_leave_the_module(tmp_path):
    file = tmp_path / "model.safetensors"
    save_pretrained(resnet(0), file, "torchvision")
    tensors = safetensors.numpy.load_file(file)
    target = resnet(1)
    before = arrays(target)

    def refused(changed: dict, message: str) -> None:
        safetensors.numpy.save_file(changed, file)
        with pytest.raises(PretrainedError, match=message):
            load_pretrained(target, file, "torchvision")

    without = {k: v for k, v in tensors.items() if k != "layer2.0.bn1.bias"}
    refused(without, r"model.safetensors.*missing layer2.0.bn1.bias \(16,\); unexpected nothing")
    refused({**tensors, "head.weight": np.zeros(2)}, r"unexpected head.weight \(2,\)")
    misshapen = {**tensors, "layer2.0.conv1.weight": np.zeros((2, 8, 3, 3), np.float32)}
    refused(misshapen, r"layer2.0.conv1.weight has shape \(2, 8, 3, 3\).*\(16, 8, 3, 3\)")
    for path, value in arrays(target).items():
        np.testing.assert_array_equal(value, before[path])


def test_refusals(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(pickle.dumps({"weight": [0.0]}))
    with pytest.raises(PretrainedError, match="not a readable safetensors"):
        load_pretrained(resnet(), tmp_path, "torchvision")
    with pytest.raises(PretrainedError, match="does not exist"):
        load_pretrained(resnet(), tmp_path / "absent.safetensors", "torchvision")
    with pytest.raises(PretrainedError, match="'keras' is unknown; known: torchvision, timm"):
        load_pretrained(resnet(), tmp_path, "keras")
    with pytest.raises(PretrainedError, match="is for ViT, not ResNet"):
        load_pretrained(resnet(), tmp_path, "timm")
    with pytest.raises(PretrainedError, match="not of layout 'timm'"):
        from_pretrained(DATA / "torch_resnet_basic.safetensors", "timm")


def test_position_embeddings_resize_on_request(tmp_path):
    file = tmp_path / "model.safetensors"
    source, target = vit(0), vit(1, image_size=48)
    table = np.array(source.pos_embed[...])
    table[:, 1:] = table[:, 1:2]  # a grid of equal rows stays so at any size
    source.pos_embed[...] = table
    save_pretrained(source, file, "timm")
    with pytest.raises(PretrainedError, match=r"pos_embed has shape \(1, 17, 64\).*resize"):
        load_pretrained(target, file, "timm")
    load_pretrained(target, file, "timm", positions="resize")
    resized = target.pos_embed[...]
    np.testing.assert_array_equal(resized[:, 0], table[:, 0])
    expected = np.broadcast_to(table[:, 1:2], (1, 36, 64))
    np.testing.assert_allclose(resized[:, 1:], expected, atol=1e-5)


def test_short_texts_take_the_first_positions(tmp_path):
    file = tmp_path / "model.safetensors"
    source = bert(0)
    save_pretrained(source, file, "hf-bert")
    short, _ = from_pretrained(file, "hf-bert", positions="resize", max_length=5)
    np.testing.assert_array_equal(
        short.position_embeddings[...], source.position_embeddings[...][:5]
    )
    with pytest.raises(PretrainedError, match="position_embeddings.weight has shape"):
        from_pretrained(file, "hf-bert", positions="resize", max_length=20)


def test_half_precision_files_leave_as_they_came(tmp_path):
    file, copy = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_pretrained(bert(0), file, "hf-bert")
    tensors = {k: v.astype(np.float16) for k, v in safetensors.numpy.load_file(file).items()}
    safetensors.numpy.save_file(tensors, file)
    module, _ = from_pretrained(file, "hf-bert")
    save_pretrained(module, copy, "hf-bert")
    for name, tensor in safetensors.numpy.load_file(copy).items():
        assert tensor.dtype == np.float16, name
        np.testing.assert_array_equal(tensor, tensors[name])
    # What training has moved off the half-precision grid is not rounded back to it.
    module.norm.scale[...] = module.norm.scale[...] + 1e-6
    save_pretrained(module, copy, "hf-bert")
    assert safetensors.numpy.load_file(copy)["embeddings.LayerNorm.weight"].dtype == np.float32
