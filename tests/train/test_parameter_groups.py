# SPDX-License-Identifier: Apache-2.0
"""Decay, freezing and parts by patterns of paths."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medst_jax.options import OptionError, parse
from medst_jax.parallel import variables_by_path
from medst_jax.train.optimizer import make_optimizer
from medst_jax.train.options import OptimizerOptions
from medst_jax.train.parameter_groups import decay_mask


def params():
    shapes = {
        "head/kernel": ((2, 3), ("embed", "joint")),
        "head/bias": ((3,), ("joint",)),
        "layers/qkv/kernel": ((4, 2, 3, 2), ("layers", "embed", "heads", None)),
        "layers/qkv/bias": ((4, 3, 2), ("layers", "heads", None)),
        "layers/norm/scale": ((4, 2), ("layers", "embed")),
        "words": ((5, 2), ("vocab", "embed")),
        "log_scale": ((), ()),
    }
    return nnx.from_flat_state(
        [
            (tuple(path.split("/")), nnx.Param(jnp.full(shape, 2.0), axes=axes))
            for path, (shape, axes) in shapes.items()
        ]
    )


def updates(gradient=1.0, **values):
    """By path, of one step at rate 0.1 and parameters 2."""
    given = {"learning_rate": 0.1, "name": "sgd", "momentum": 0.0, "schedule": "constant"} | values
    optimizer, _ = make_optimizer(parse(OptimizerOptions, given, "config.optimizer"), 10, params())
    arrays = {path: v.get_value() for path, v in variables_by_path(params()).items()}
    gradients = {path: jnp.full_like(value, gradient) for path, value in arrays.items()}
    return optimizer.update(gradients, optimizer.init(arrays), arrays)[0]


@pytest.mark.parametrize(
    ("which", "decaying"),
    [
        ("all", set(variables_by_path(params()))),
        # Biases cut into heads have several dimensions.
        ("kernels", {"head/kernel", "layers/qkv/kernel", "layers/qkv/bias", "words"}),
        ("weights", {"head/kernel", "layers/qkv/kernel", "words", "log_scale"}),
        ("named_kernels", {"head/kernel", "layers/qkv/kernel"}),
    ],
)
def test_what_decays(which, decaying):
    mask = decay_mask(variables_by_path(params()), which)
    assert {path for path, decays in mask.items() if decays} == decaying
    moved = updates(0.0, weight_decay=0.5, decay_mask=which)
    assert {path for path, value in moved.items() if np.any(value)} == decaying


def test_the_first_layers_of_a_stack_are_frozen():
    moved = updates(
        weight_decay=0.5, decay_mask="all", clip_norm=1.0, frozen_layers=(("layers/", 3),)
    )
    clipped = 1 / np.sqrt(6 + 3 + (12 + 6 + 2) + 10 + 1)  # one layer of four has a share
    for path, value in moved.items():
        expected = np.full(value.shape, -0.1 * (clipped + 0.5 * 2.0))
        if path.startswith("layers/"):
            expected[:3] = 0.0
        np.testing.assert_allclose(value, expected, rtol=1e-5, err_msg=path)


def test_frozen_parameters_do_not_decay_by_the_schedule_either():
    moved = updates(
        weight_decay=0.5,
        weight_decay_form="schedule",
        decay_mask="all",
        learning_rates=(("head", 0.0), ("words", 0.5)),
    )
    np.testing.assert_array_equal(moved["head/kernel"], 0.0)
    np.testing.assert_allclose(moved["words"], -(0.1 * 0.5 + 0.5 * 2.0), rtol=1e-6)


def test_parts_share_the_norm_and_have_their_own_rates():
    moved = updates(
        clip_norm=1.0,
        weight_decay=0.5,
        decay_mask="all",
        parts={
            "text": dict(pattern="^(layers|words)", learning_rate=0.3, weight_decay=0.0),
            "scale": dict(pattern="^log_scale$", warmup_steps=5),
        },
    )
    clipped = 1 / np.sqrt(sum(value.size for value in moved.values()))
    np.testing.assert_allclose(moved["words"], -0.3 * clipped, rtol=1e-5)
    np.testing.assert_allclose(moved["layers/qkv/bias"], -0.3 * clipped, rtol=1e-5)
    np.testing.assert_allclose(moved["head/bias"], -0.1 * (clipped + 0.5 * 2.0), rtol=1e-5)
    assert float(moved["log_scale"]) == 0.0  # at the beginning of its warm-up


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (dict(parts={"a": dict(pattern="hat")}), r"parts\.a\.pattern: 'hat' fits no parameter"),
        (dict(parts={"a": dict(pattern="(")}), "is no regular expression"),
        (
            dict(parts={"a": dict(pattern="head"), "b": dict(pattern="kernel")}),
            "head/kernel is in a and in b",
        ),
        (dict(parts={"others": dict(pattern="head")}), "choose another name"),
        (dict(frozen_layers=(("head", 1),)), "'head' fits no stacked layers"),
        (dict(frozen_layers=(("layers", 5),)), r"freezes 5 layers of .*, which has 4"),
        (dict(frozen_layers=(("layers", 0),)), r"give a number in \[1, 4\]"),
    ],
)
def test_what_does_not_suit_the_parameters_is_refused(values, message):
    with pytest.raises(OptionError, match=message):
        updates(**values)
