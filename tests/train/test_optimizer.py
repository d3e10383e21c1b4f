# SPDX-License-Identifier: Apache-2.0
"""Schedule, decay mask and clipping against the formulas."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medst_jax.options import OptionError, parse
from medst_jax.parallel import variables_by_path
from medst_jax.train.optimizer import make_optimizer, make_schedule
from medst_jax.train.options import OptimizerOptions
from medst_jax.train.parameter_groups import decay_mask


def options(**values):
    return parse(OptimizerOptions, {"learning_rate": 0.1, **values}, "config.optimizer")


def params():
    return nnx.State(
        {
            "kernel": nnx.Param(jnp.full((2, 3), 2.0), axes=("embed", "mlp")),
            "bias": nnx.Param(jnp.full((3,), 2.0), axes=("mlp",)),
            "stacked_bias": nnx.Param(jnp.full((4, 3), 2.0), axes=("layers", "mlp")),
            "scale": nnx.Param(jnp.float32(2.0), axes=()),
        }
    )


@pytest.mark.parametrize("horizon", [None, 50])
def test_warm_up_then_cosine_to_the_horizon(horizon):
    schedule = make_schedule(options(warmup_steps=10, horizon_steps=horizon, end_fraction=0.1), 30)
    end = horizon or 30
    for step in (0, 5, 10, 20, 30):
        progress = (step - 10) / (end - 10)
        cosine = 0.1 * (0.9 * 0.5 * (1 + math.cos(math.pi * progress)) + 0.1)
        expected = 0.1 * step / 10 if step < 10 else cosine
        np.testing.assert_allclose(float(schedule(step)), expected, rtol=1e-5)


def test_run_shorter_than_the_warm_up_stays_in_it():
    schedule = make_schedule(options(warmup_steps=10), 4)
    np.testing.assert_allclose(float(schedule(4)), 0.04, rtol=1e-6)


def test_constant_after_the_warm_up():
    schedule = make_schedule(options(warmup_steps=2, schedule="constant"), 4)
    assert float(schedule(100)) == pytest.approx(0.1)


def test_kernels_mask_leaves_out_vectors_and_scalars():
    assert decay_mask(variables_by_path(params()), "kernels") == {
        "bias": False,
        "kernel": True,
        "scale": False,
        "stacked_bias": False,
    }
    assert all(decay_mask(variables_by_path(params()), "all").values())


def test_straight_line_from_a_rise_that_begins_above_zero():
    chosen = options(warmup_steps=4, warmup_start=0.2, schedule="linear", end_fraction=0.5)
    schedule = make_schedule(chosen, 12)
    for step, expected in {0: 0.02, 2: 0.06, 4: 0.1, 8: 0.075, 12: 0.05, 40: 0.05}.items():
        np.testing.assert_allclose(float(schedule(step)), expected, rtol=1e-6)


def test_decay_is_decoupled_and_masked():
    chosen = options(name="sgd", momentum=0.0, weight_decay=0.5, schedule="constant")
    optimizer, _ = make_optimizer(chosen, 10, params())
    values = {path: v.get_value() for path, v in variables_by_path(params()).items()}
    zeros = {path: jnp.zeros_like(value) for path, value in values.items()}
    updates, _ = optimizer.update(zeros, optimizer.init(values), values)
    np.testing.assert_allclose(updates["kernel"], -0.1 * 0.5 * 2.0, rtol=1e-6)
    np.testing.assert_array_equal(updates["bias"], 0.0)


def test_gradients_are_clipped_by_their_global_norm():
    chosen = options(name="sgd", momentum=0.0, clip_norm=1.0, schedule="constant")
    optimizer, _ = make_optimizer(chosen, 10, params())
    values = {path: v.get_value() for path, v in variables_by_path(params()).items()}
    ones = {path: jnp.ones_like(value) for path, value in values.items()}
    updates, _ = optimizer.update(ones, optimizer.init(values), values)
    count = sum(value.size for value in values.values())
    np.testing.assert_allclose(updates["scale"], -0.1 / math.sqrt(count), rtol=1e-6)


def test_learning_rates_by_pattern_and_frozen_parameters():
    pairs = (("^scale$", 0.0), ("bias", 0.5), ("stacked", 4.0))
    chosen = options(
        name="sgd", momentum=0.0, clip_norm=1.0, weight_decay=0.5, schedule="constant",
        decay_mask="all", learning_rates=pairs,
    )  # fmt: skip
    optimizer, _ = make_optimizer(chosen, 10, params())
    values = {path: v.get_value() for path, v in variables_by_path(params()).items()}
    ones = {path: jnp.ones_like(value) for path, value in values.items()}
    updates, _ = optimizer.update(ones, optimizer.init(values), values)
    # The frozen scalar has no share in the norm of the others, and does not decay.
    clipped = 1 / math.sqrt(sum(v.size for k, v in values.items() if k != "scale"))
    for path, factor in {"kernel": 1.0, "bias": 0.5, "stacked_bias": 0.5, "scale": 0.0}.items():
        expected = -0.1 * factor * (clipped + 0.5 * 2.0)
        np.testing.assert_allclose(updates[path], expected, rtol=1e-5, err_msg=path)


@pytest.mark.parametrize(
    ("pattern", "message"), [("heads", "'heads' fits no parameter"), ("(", "no regular expression")]
)
def test_patterns_that_say_nothing(pattern, message):
    with pytest.raises(OptionError, match=message):
        make_optimizer(options(learning_rates=((pattern, 0.1),)), 10, params())
