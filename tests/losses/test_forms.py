# SPDX-License-Identifier: Apache-2.0
"""Chunked and ring forms have the dense value and gradient, on one device and on eight."""

import json
import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax import losses
from medst_jax.losses.forms.ring import ambient
from tests.losses.pair_cases import CASES, make, options
from tests.losses.test_local import NEGATIVES, WORD_NEGATIVES, _inputs

HERE = pathlib.Path(__file__).resolve().parent


def _run(*names: str) -> dict[str, list]:
    finished = subprocess.run(
        [sys.executable, str(HERE / "forms.py"), *names],
        env={
            **os.environ,
            "PYTHONPATH": str(HERE.parent.parent),
            "XLA_FLAGS": os.environ.get("XLA_FLAGS", "")
            + " --xla_force_host_platform_device_count=8",
        },
        check=False,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout.splitlines()[-1])


def _assert_all_equal_dense(found: dict[str, list]) -> None:
    assert found
    for label, (value, gradient, dtypes) in found.items():
        assert dtypes, label
        assert value < 2e-6, (label, value)
        # A bfloat16 gradient is rounded once in each form: one unit in its last place.
        assert gradient < (2**-8 if "bfloat16" in label else 5e-6), (label, gradient)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *(
            f"{n}{s}"
            for n in ("clip", "siglip", "unicl", "triage", "gloria_local")
            for s in ("", "/masked", "/lazy")
        ),
        "soft_target_clip",
        "soft_target_clip/masked",
        "token_alignment",
        "token_alignment/masked",
    ],
)
def test_every_form_equals_dense_on_one_and_eight_devices(name):
    _assert_all_equal_dense(_run(name))


def test_ring_equals_dense_on_eight_devices():
    found = _run("unicl/masked", "--quick")
    assert any("data ring" in label for label in found)
    _assert_all_equal_dense(found)


def _pair_loss(form, chunk, mask):
    def loss(image, text, scale, bias):
        return losses.select("siglip", form, chunk=chunk)(image, text, scale, bias, mask=mask)

    return jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2, 3)))


@pytest.mark.parametrize("valid", [0, 5])
def test_padding_and_nothing_valid_in_chunks(valid):
    arguments, *_ = make(CASES["siglip"], 7)
    mask = np.arange(7) < valid
    moved = [jnp.asarray(np.where(mask[:, None], a, np.nan)) for a in arguments[:2]]
    scalars = [jnp.float32(a) for a in arguments[2:]]
    expected = _pair_loss("dense", None, mask)(*moved, *scalars)
    value, gradients = _pair_loss("chunked", 3, mask)(*moved, *scalars)
    np.testing.assert_allclose(value, expected[0], rtol=1e-6)
    for gradient, wanted in zip(gradients, expected[1], strict=True):
        assert np.all(np.isfinite(gradient))
        np.testing.assert_allclose(gradient, wanted, rtol=1e-5, atol=1e-7)
        assert valid or not np.any(gradient)


def test_float64_stays_float64_in_chunks():
    arguments, _, mask, negatives = make(CASES["clip"], 7)
    given = options(CASES["clip"], mask, negatives)
    with jax.enable_x64(True):
        dense, chunked = (
            jax.jit(jax.value_and_grad(lambda *a, f=f: f(*a, **given), argnums=(0, 1, 2)))(
                *map(jnp.asarray, arguments)
            )
            for f in (losses.clip_loss, losses.select("clip", "chunked", chunk=2))
        )
    assert chunked[0].dtype == np.float64
    np.testing.assert_allclose(chunked[0], dense[0], rtol=1e-12)
    for found, wanted in zip(chunked[1], dense[1], strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-13)


def test_the_chunked_loss_holds_no_matrix():
    rows = 512

    def temporaries(form, chunk=None):
        loss = losses.select("clip", form, chunk=chunk)
        shapes = [jax.ShapeDtypeStruct((rows, 8), jnp.float32)] * 2
        step = jax.jit(jax.value_and_grad(lambda a, b: loss(a, b, 10.0), argnums=(0, 1)))
        return step.lower(*shapes).compile().memory_analysis().temp_size_in_bytes

    matrix = 4 * rows * rows
    assert temporaries("dense") > matrix
    assert temporaries("chunked", 64) < matrix / 4


def test_token_alignment_in_chunks_without_a_mesh():
    words, patches, word_mask, patch_mask, *weights = _inputs()
    arguments = (words, patches, word_mask, patch_mask, *weights)
    for negatives in (None, WORD_NEGATIVES):
        dense = jax.jit(losses.token_alignment_loss)(*arguments, negative_mask=negatives)
        for form in ("chunked", "ring"):
            loss = losses.select("token_alignment", form, chunk=2)
            terms = jax.jit(loss)(*arguments, temperature=0.1, negative_mask=negatives)
            np.testing.assert_allclose(terms, dense, rtol=1e-6)


@pytest.mark.parametrize("form", ["chunked", "ring"])
def test_gloria_in_chunks_excludes_negatives(form):
    words, patches, word_mask, *_ = _inputs()
    loss = losses.select("gloria_local", form, chunk=2)
    dense, blocks = (
        jax.jit(
            jax.value_and_grad(
                lambda w, p, f=f: f(w, p, word_mask, negative_mask=NEGATIVES), argnums=(0, 1)
            )
        )(words, patches)
        for f in (losses.gloria_local_loss, loss)
    )
    for found, expected in zip(jax.tree.leaves(blocks), jax.tree.leaves(dense), strict=True):
        size = float(np.max(np.abs(expected)))
        np.testing.assert_allclose(found, expected, rtol=0, atol=5e-6 * size)


def test_names_forms_and_chunks_are_checked():
    assert losses.select("clip_loss", "dense") is losses.select("clip", "dense")
    with pytest.raises(ValueError, match="loss 'clap' .*known: clip"):
        losses.select("clap", "dense")
    with pytest.raises(ValueError, match="form of loss 'clip' is 'rings'; known: dense"):
        losses.select("clip", "rings")
    with pytest.raises(ValueError, match="chunk is 4, but the dense form"):
        losses.select("clip", "dense", chunk=4)
    with pytest.raises(ValueError, match="chunk of loss 'clip' is 0"):
        losses.select("clip", "ring", chunk=0)


def test_a_batch_that_the_mesh_does_not_divide_names_both_numbers():
    assert ambient(12).size == 1
    mesh = jax.sharding.AbstractMesh((4, 2, 1), ("data", "fsdp", "tensor"))
    with jax.sharding.use_abstract_mesh(mesh):
        assert ambient(16).size == 8
        with pytest.raises(ValueError, match=r"12 rows.* 8 batch shards .*data=4 x fsdp=2"):
            ambient(12)
