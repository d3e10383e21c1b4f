# SPDX-License-Identifier: Apache-2.0
"""Values, gradients and running statistics against PyTorch (tests/models/weights/stored/make_torch_models.py)."""

import dataclasses
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medst_jax.models import Bert, BertOptions, ResNet, ResNetOptions, ViT, ViTOptions
from medst_jax.models.weights import foreign
from medst_jax.models.weights.layout_registry import kind_of_module
from medst_jax.models.weights.pretrained import load_pretrained
from tests.models.compiled import build, run

DATA = pathlib.Path(__file__).parent / "stored"
VIT = ViTOptions(patch=4, width=16, depth=2, heads=2, mlp_ratio=2.0, image_size=16)
BERT = BertOptions(20, width=16, depth=2, heads=2, mlp=32, max_length=10, dropout=0.1)


def resnet_options(block: str, **changes) -> ResNetOptions:
    sizes = dict(widths=(8, 12), blocks=(2, 1), strides=(1, 2), stem_width=8)
    return ResNetOptions(**sizes, block=block, **changes)


def loaded(make, name: str, layout: str):
    module = build(make)
    load_pretrained(module, DATA / f"{name}.safetensors", layout)
    return module, dict(np.load(DATA / f"{name}.npz"))


def gradients(module, loss):
    """Loss, gradients as a module under which foreign names read, and batch statistics."""
    graphdef, parameters, rest = nnx.split(module, nnx.Param, ...)

    def run(parameters):
        copy = nnx.merge(graphdef, parameters, rest, copy=True)
        return loss(copy), nnx.state(copy, nnx.BatchStat)

    (value, statistics), grads = jax.jit(jax.value_and_grad(run, has_aux=True))(parameters)
    return value, nnx.merge(graphdef, grads, statistics)


def compare(module, layout, expected, prefix, wanted, tolerance):
    values = foreign.arrays(module)
    compared = 0
    for slot in kind_of_module(layout, module).slots(module):
        if f"{prefix}/{slot.name}" in expected and slot.path[-1] in wanted:
            found = slot.form.outward(values[slot.path][slot.index])
            reference = expected[f"{prefix}/{slot.name}"]
            scale = np.abs(reference).max() + 1e-3
            np.testing.assert_allclose(
                found / scale, reference / scale, atol=tolerance, err_msg=slot.name
            )
            compared += 1
    assert compared == sum(key.startswith(f"{prefix}/") for key in expected)


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
@pytest.mark.parametrize("convolution", ["xla", "patches"])
def test_resnet_in_evaluation(block, convolution):
    options = resnet_options(block, convolution=convolution)
    model, data = loaded(
        lambda: ResNet(options, rngs=nnx.Rngs(1)), f"torch_resnet_{block}", "torchvision"
    )
    out = run(model, data["images"])
    for stage, expected in zip(out.stages, (data["stage0"], data["stage1"]), strict=True):
        np.testing.assert_allclose(stage, expected, atol=2e-5)
    np.testing.assert_allclose(out.pooled, data["pooled"], atol=1e-5)
    np.testing.assert_allclose(out.patches.mean(1), data["pooled"], atol=1e-5)


@pytest.mark.parametrize(
    ("block", "remat", "convolution"),
    [("basic", "none", "patches"), ("bottleneck", "none", "xla"), ("bottleneck", "full", "xla")],
)
def test_resnet_in_training(block, remat, convolution):
    options = resnet_options(block, remat=remat, convolution=convolution)
    model, data = loaded(
        lambda: ResNet(options, rngs=nnx.Rngs(1)), f"torch_resnet_{block}", "torchvision"
    )
    value, grads = gradients(
        model, lambda m: (m(data["images"], train=True).pooled * data["target"]).sum()
    )
    np.testing.assert_allclose(value, data["loss"], rtol=1e-4)
    compare(grads, "torchvision", data, "grad", ("kernel", "scale", "bias"), 2e-4)
    compare(grads, "torchvision", data, "after", ("mean", "var"), 1e-5)


@pytest.mark.parametrize(("remat", "unroll"), [("none", 1), ("full", 1), ("dots", 2)])
def test_vit(remat, unroll):
    options = dataclasses.replace(VIT, remat=remat, unroll=unroll)
    model, data = loaded(lambda: ViT(options, rngs=nnx.Rngs(1)), "torch_vit", "timm")
    np.testing.assert_allclose(run(model, data["images"]).tokens, data["tokens"], atol=1e-5)
    value, grads = gradients(model, lambda m: (m(data["images"]).tokens * data["target"]).sum())
    np.testing.assert_allclose(value, data["loss"], rtol=1e-4)
    compare(
        grads, "timm", data, "grad", ("kernel", "scale", "bias", "cls_token", "pos_embed"), 1e-4
    )


@pytest.mark.parametrize(("remat", "unroll"), [("none", 1), ("full", 1), ("dots", 2)])
def test_bert(remat, unroll):
    options = dataclasses.replace(BERT, remat=remat, unroll=unroll)
    model, data = loaded(lambda: Bert(options, rngs=nnx.Rngs(1)), "torch_bert", "hf-bert")
    tokens, mask = data["tokens"].astype(np.int32), data["token_mask"]
    states = run(model, tokens, mask).hidden_states
    assert len(states) == 3
    for state, expected in zip(states, data["hidden_states"], strict=True):
        np.testing.assert_allclose(state, expected, atol=2e-5)

    def loss(model):
        last = model(tokens, mask).hidden_states[-1]
        return (last * jnp.asarray(mask)[..., None] * data["target"]).sum()

    value, grads = gradients(model, loss)
    np.testing.assert_allclose(value, data["loss"], rtol=1e-4)
    tables = ("word_embeddings", "position_embeddings", "token_type_embeddings")
    compare(grads, "hf-bert", data, "grad", ("kernel", "scale", "bias", *tables), 1e-4)
