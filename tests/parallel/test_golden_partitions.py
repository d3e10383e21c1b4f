# SPDX-License-Identifier: Apache-2.0
"""How every parameter of every encoder is cut under each table, as golden files.

"dp" is how it lies while the model computes; "dp, kept" is how it and its moments lie between
steps, where that differs.

A change shows as a diff. UPDATE_GOLDEN=1 rewrites the files:

    UPDATE_GOLDEN=1 python -m pytest tests/parallel/test_golden_partitions.py
"""

import functools
import json
import os
import pathlib

import jax
import pytest
from flax import nnx
from jax.sharding import AbstractMesh, AxisType

from medst_jax.models import (
    Bert,
    BertOptions,
    ClipImage,
    ClipImageOptions,
    ClipText,
    ClipTextOptions,
    GridResNet,
    HybridTemporalEncoder,
    HybridTemporalOptions,
    MixtureOfViewExperts,
    Projection,
    Prototypes,
    ResNet,
    ResNetOptions,
    Swin,
    SwinOptions,
    TextTransformer,
    TextTransformerOptions,
    VariationalAutoencoder,
    VariationalOptions,
    ViT,
    ViTOptions,
    grid_resnet_options,
)
from medst_jax.parallel import (
    RULES,
    MeshError,
    param_shardings,
    state_shardings,
    variables_by_path,
)
from medst_jax.parallel.rules import partition_spec
from medst_jax.parallel.state_sharding import SMALLEST

FOLDER = pathlib.Path(__file__).resolve().parent / "golden"
SIZES = {"data": 2, "fsdp": 4, "tensor": 2}
MODULES = {
    "resnet50": lambda rngs: ResNet(ResNetOptions.resnet50(), rngs=rngs),
    "vit_b16": lambda rngs: ViT(ViTOptions.vit_b16(), rngs=rngs),
    "vit_b16_map": lambda rngs: ViT(ViTOptions.vit_b16(pooling="map"), rngs=rngs),
    "view_experts_b16": lambda rngs: MixtureOfViewExperts(ViTOptions.vit_b16(), rngs=rngs),
    "swin_tiny": lambda rngs: Swin(SwinOptions.tiny(), rngs=rngs),
    "hybrid_temporal": lambda rngs: HybridTemporalEncoder(
        HybridTemporalOptions.biovil_t(), rngs=rngs
    ),
    "grid_resnet256": lambda rngs: GridResNet(grid_resnet_options(256), rngs=rngs),
    "variational": lambda rngs: VariationalAutoencoder(VariationalOptions(), rngs=rngs),
    "clip_b32": lambda rngs: ClipImage(ClipImageOptions.vit_b32(), rngs=rngs),
    "clip_text": lambda rngs: ClipText(ClipTextOptions(), rngs=rngs),
    "bert_base": lambda rngs: Bert(BertOptions.bert_base(30522), rngs=rngs),
    "transformer_b": lambda rngs: TextTransformer(TextTransformerOptions.base(32000), rngs=rngs),
    "projection": lambda rngs: Projection(768, 512, rngs=rngs),
    "prototypes": lambda rngs: Prototypes(14, 512, rngs=rngs),
}
# Activations that models and systems pin: logical names and a shape.
ACTIVATIONS = {
    "residual stream": (("batch", None, None), (256, 196, 768)),
    "slices of the residual stream": ((None, "batch", None, None, None), (8, 8, 4, 196, 768)),
    "embedding": (("batch", "embed"), (256, 512)),
}


def _mesh() -> AbstractMesh:
    names = tuple(SIZES)
    return AbstractMesh(tuple(SIZES.values()), names, axis_types=(AxisType.Auto,) * len(names))


@functools.cache
def _parameters(name: str) -> nnx.State:
    module = nnx.eval_shape(lambda: MODULES[name](nnx.Rngs(0)))
    return nnx.split(module, nnx.Param, ...)[1]


def _check(name: str, got: dict) -> None:
    file = FOLDER / f"{name}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(json.dumps(got, indent=1) + "\n")
    assert file.exists(), f"{file} is missing: run this test with UPDATE_GOLDEN=1"
    assert got == json.loads(file.read_text()), (
        f"{file} differs; UPDATE_GOLDEN=1 accepts the change"
    )


@pytest.mark.parametrize("name", MODULES)
def test_parameters(name):
    mesh = _mesh()
    used = {rules: param_shardings(_parameters(name), mesh, rules) for rules in RULES}
    kept = {rules: state_shardings(_parameters(name), mesh, rules) for rules in RULES}
    got = {}
    for path in variables_by_path(_parameters(name)):
        got[path] = {r: str(used[r][path].spec) for r in RULES}
        elsewhere = [r for r in RULES if kept[r][path] != used[r][path]]
        got[path] |= {f"{r}, kept": str(kept[r][path].spec) for r in elsewhere}
    _check(name, got)


def test_activations():
    got = {
        name: {r: str(partition_spec(*case, SIZES, t, name)) for r, t in RULES.items()}
        for name, case in ACTIVATIONS.items()
    }
    _check("activations", got)


@pytest.mark.parametrize("rules", RULES)
def test_all_large_parameters_are_kept_in_as_many_parts_as_there_are_shards_of_the_batch(rules):
    for name in MODULES:
        parameters = variables_by_path(_parameters(name))
        used = param_shardings(_parameters(name), _mesh(), rules)
        kept = state_shardings(_parameters(name), _mesh(), rules)
        for path, variable in parameters.items():
            value = variable.get_value()
            held = functools.reduce(int.__mul__, kept[path].shard_shape(value.shape), 1)
            if value.size >= SMALLEST:
                assert held * SIZES["data"] * SIZES["fsdp"] <= value.size, (name, path)
            else:
                assert kept[path] == used[path], (name, path)


def test_fsdp_cuts_all_large_parameters():
    for name in MODULES:
        parameters = variables_by_path(_parameters(name))
        shardings = param_shardings(_parameters(name), _mesh(), "fsdp")
        for path, variable in parameters.items():
            shape = variable.get_value().shape
            whole, held = variable.get_value().size, shardings[path].shard_shape(shape)
            if whole > 100_000:
                assert whole == SIZES["fsdp"] * functools.reduce(int.__mul__, held), (name, path)


def test_a_parameter_that_no_rule_matches_is_an_error():
    class Lost(nnx.Module):
        def __init__(self) -> None:
            self.kernel = nnx.Param(jax.numpy.zeros((4, 4)), axes=("embed", "nowhere"))

    class Bare(nnx.Module):
        def __init__(self) -> None:
            self.kernel = nnx.Param(jax.numpy.zeros((4, 4)))

    for module, message in ((Lost(), "nowhere"), (Bare(), "kernel has no logical axes")):
        state = nnx.split(module, nnx.Param, ...)[1]
        with pytest.raises(MeshError, match=message):
            param_shardings(state, _mesh(), "fsdp")
