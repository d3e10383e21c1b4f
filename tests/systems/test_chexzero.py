# SPDX-License-Identifier: Apache-2.0
"""CheXzero: CLIP's own projections, its loss, the end token, widths that disagree."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medst_jax import systems
from medst_jax.options import OptionError
from tests.losses.reference import softmax
from tests.systems.make_batch import OPTIONS, OWN, TEXT, call, make_batch


@pytest.fixture(scope="module")
def system():
    return systems.build("chexzero", **{**OPTIONS, **TEXT, **OWN["chexzero"]})


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def test_the_joint_space_is_that_of_the_encoders_projections(system):
    batch = make_batch(3)
    image = call(system, "encode_image", batch["frontal"])
    text = call(system, "encode_text", batch["tokens"], batch["token_mask"])
    for embedding, encoder in ((image, system.image_encoder), (text, system.text_encoder)):
        projected = np.asarray(embedding.features) @ np.asarray(encoder.projection[...])
        np.testing.assert_allclose(embedding.global_, unit(projected), atol=1e-5)
    names = {path[0] for path, _ in nnx.to_flat_state(nnx.state(system, nnx.Param))}
    assert names == {"image_encoder", "text_encoder", "scale"}


def test_the_text_is_read_at_its_end_token(system):
    batch = make_batch(2)
    tokens, mask = batch["tokens"], batch["token_mask"].at[:, 5:].set(False)
    text = call(system, "encode_text", tokens, mask).global_
    behind = call(system, "encode_text", tokens.at[:, 6:].set(9), mask).global_
    np.testing.assert_allclose(text, behind, atol=1e-6)


def test_the_loss_is_both_cross_entropies_of_scaled_cosines(system):
    batch = make_batch(5)
    batch["text_source"] = jnp.ones(5, jnp.int8)
    batch["study"], batch["text"] = jnp.arange(5), jnp.arange(5) + 50
    encoded = call(system, "encode", batch, rngs=jax.random.key(1))
    loss, _ = call(system, "objective", encoded, batch)
    logits = np.exp(np.log(1 / 0.07)) * np.asarray(encoded["image"]) @ np.asarray(encoded["text"]).T
    expected = np.mean(
        [-np.log(softmax(side[i])[i]) for side in (logits, logits.T) for i in range(5)]
    )
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(image=OPTIONS["image"]), "image.name is 'resnet_small'.*no projection of its own"),
        (dict(joint=32), "of joint 16; chexzero needs CLIP's encoders .* of joint 32"),
    ],
)
def test_encoders_without_a_joint_space_of_that_width_are_refused(changes, message):
    with pytest.raises(OptionError, match=message):
        systems.build("chexzero", **{**OPTIONS, **TEXT, **OWN["chexzero"], **changes})
