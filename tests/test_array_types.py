# SPDX-License-Identifier: Apache-2.0
"""Shapes in signatures are checked while tests run: eagerly, under jit and under grad."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jaxtyping import TypeCheckError

from medst_jax.losses.clip import clip_loss
from medst_jax.losses.gloria import gloria_local_loss
from medst_jax.losses.pairwise import Pairwise
from medst_jax.losses.selection import in_form
from medst_jax.models.encoders.resnet import ResNet, ResNetOptions

THREE = jnp.eye(3, 4)


def _each_way(image, text, **given):
    """The loss eagerly, compiled, and with its gradient."""

    def loss(image, text):
        return clip_loss(image, text, 1.0, **given)

    return loss, jax.jit(loss), jax.value_and_grad(loss)


@pytest.mark.parametrize("way", range(3))
def test_a_wrong_shape_names_the_argument_that_has_it(way):
    assert jnp.isfinite(jax.tree.leaves(_each_way(THREE, THREE)[way](THREE, THREE))[0])
    with pytest.raises(TypeCheckError, match="text"):
        _each_way(THREE, THREE[:2])[way](THREE, THREE[:2])
    with pytest.raises(TypeCheckError, match="negative_mask"):
        _each_way(THREE, THREE, negative_mask=jnp.ones((2, 3)))[way](THREE, THREE)


def test_other_forms_check_the_same_shapes():
    chunked = in_form(clip_loss, "chunked", 2)
    np.testing.assert_allclose(chunked(THREE, THREE, 1.0), clip_loss(THREE, THREE, 1.0), rtol=1e-6)
    with pytest.raises(TypeCheckError, match="text"):
        chunked(THREE, THREE[:2], 1.0)
    with pytest.raises(TypeCheckError, match="word_mask"):
        gloria_local_loss(jnp.ones((2, 3, 4)), jnp.ones((2, 5, 4)), jnp.ones((2, 5), bool))


def test_numpy_float_masks_and_matrices_by_rows_are_arrays_too():
    ids = np.arange(3)
    lazy = Pairwise(ids, ids, lambda r, c: r[:, None] != c[None, :])
    plain = clip_loss(THREE, THREE, 1.0)
    given = np.asarray(THREE), np.asarray(THREE), np.float32(1)
    for mask in (np.ones(3), np.ones(3, bool), jnp.ones(3)):
        assert clip_loss(*given, mask=mask, negative_mask=lazy) == plain


def test_an_encoder_takes_a_batch_of_images_and_no_single_one():
    encoder = ResNet(ResNetOptions.small(channels=1), rngs=nnx.Rngs(0))
    images = jnp.zeros((2, 32, 32, 1))
    assert nnx.jit(lambda model, x: model(x).pooled)(encoder, images).shape[0] == 2
    with pytest.raises(TypeCheckError, match="images"):
        nnx.jit(lambda model, x: model(x).pooled)(encoder, images[0])
    with pytest.raises(TypeCheckError, match="keys"):
        encoder(images, keys=jax.random.split(jax.random.key(0), 3))


@pytest.mark.usefixtures("without_shape_checks")
def test_users_get_an_error_from_the_function_itself():
    with pytest.raises(ValueError, match=r"text \(2, 4\)"):
        clip_loss(THREE, THREE[:2], 1.0)
