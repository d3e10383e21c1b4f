# SPDX-License-Identifier: Apache-2.0
"""Two-pass micro-batching gives the whole batch's gradient; refused where it cannot."""

import json
import os
import pathlib
import subprocess
import sys

import jax
import optax
import pytest

from medst_jax import systems
from medst_jax.options import OptionError
from medst_jax.parallel import make_mesh
from medst_jax.train.micro_batches import check_micro_batches
from medst_jax.train.options import TrainOptions
from medst_jax.train.state import abstract_system
from medst_jax.train.step import make_train_step
from tests.systems.make_batch import OPTIONS, TEXT, make_batch

HERE = pathlib.Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def results():
    finished = subprocess.run(
        [sys.executable, str(HERE / "micro_batches.py")],
        env={
            **os.environ,
            "PYTHONPATH": str(HERE.parent.parent),
            "XLA_FLAGS": os.environ.get("XLA_FLAGS", "")
            + " --xla_force_host_platform_device_count=8",
        },
        check=False,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("devices,count", [(1, 2), (1, 8), (8, 1), (8, 2), (8, 4)])
@pytest.mark.parametrize("form", ["dense", "ring"])
def test_gradients_are_those_of_the_whole_batch_dropout_included(results, form, devices, count):
    found = results[f"{form} {devices} {count}"]
    assert found["loss"] < 1e-6
    assert found["gradient"] < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("form", ["dense", "ring"])
def test_a_step_whose_parameters_are_kept_in_parts_has_the_same_gradient(results, form):
    found = results[f"{form} in parts"]
    assert found["cut"] > 10
    # A difference of parameters, not the gradient itself: float32 rounds it.
    assert found["gradient"] < 1e-4


@pytest.mark.slow
def test_draws_matter_and_plain_accumulation_is_another_gradient(results):
    assert results["without draws"]["gradient"] > 0.05
    assert results["accumulated"]["gradient"] > 0.05
    assert results["accumulated"]["loss"] > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 4])
def test_no_row_changes_its_device(results, count):
    assert results[f"ring 8 {count}"]["moves"] == 0


def _lower(image: dict):
    def build():
        return systems.build("clip", **{**OPTIONS, **TEXT, "image": image})

    mesh = make_mesh(devices=jax.devices()[:1])
    step = make_train_step(abstract_system(build), optax.sgd(0.1), mesh, "dp", micro_batches=2)
    return step.lower(jax.eval_shape(lambda: make_batch(4)))


def test_a_training_batch_norm_in_encode_is_refused_unless_frozen():
    image = OPTIONS["image"]
    with pytest.raises(OptionError, match=r"encode\(\) updates image_encoder/.*norm='frozen'"):
        _lower(image)
    for remat in ("none", "full"):
        assert "while" in _lower({**image, "norm": "frozen", "remat": remat}).as_text()


def test_numbers_that_do_not_divide_are_named():
    check_micro_batches(64, 8, 4)
    with pytest.raises(OptionError, match=r"micro_batches is 3: batch size 64 over 8 .* 8 rows"):
        check_micro_batches(64, 8, 3)
    with pytest.raises(OptionError, match="micro_batches is 0"):
        TrainOptions(batch_size=8, steps=1, micro_batches=0)
