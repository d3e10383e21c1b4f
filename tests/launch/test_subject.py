# SPDX-License-Identifier: Apache-2.0
"""Encoders of other projects as `evaluate --weights` reads them."""

import pathlib

import numpy as np
import pytest

from medst_jax.commands.parts.subject import Request, subject_of

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
