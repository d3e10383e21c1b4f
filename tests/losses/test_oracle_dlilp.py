# SPDX-License-Identifier: Apache-2.0
"""The four objectives against the numbers of the released DLILP code: values and gradients."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax import losses

# The release divides each sample's BCE by its label count + 1e-3; ours by the count.
BCE_TOLERANCE = 2e-3


@pytest.fixture(scope="module")
def oracle(shared):
    return dict(np.load(shared / "oracle" / "dlilp.npz"))


def _unit(x):
    return x / jnp.linalg.norm(x, axis=-1, keepdims=True)


def _clip(p, o):
    image, text = _unit(p["feat"] @ p["W_text_head"].T), _unit(p["txt_raw"])
    return losses.clip_loss(image, text, jnp.exp(p["logit_scale"]))


def _unicl(p, o):
    image, text = _unit(p["feat"] @ p["W_text_head"].T), _unit(p["txt_raw"])
    return losses.unicl_loss(image, text, jnp.exp(p["logit_scale"]), o["Y_img"], o["Y_txt"])


def _unimodal(p, o):
    image = _unit(p["feat"] @ p["W_text_head"].T)
    logits = jnp.exp(p["logit_scale"]) * image @ _unit(p["prototypes"]).T
    return losses.masked_bce_loss(logits, o["Y_img"], o["label_mask"])


def _dlilp(p, o):
    text_side = _unit(p["feat"] @ p["W_text_head"].T)
    label_side = _unit(p["feat"] @ p["W_label_head"].T)
    logits = jnp.exp(p["logit_scale_head2"]) * label_side @ _unit(p["prototypes"]).T
    supervised = losses.masked_bce_loss(logits, o["Y_img"], o["label_mask"])
    contrastive = losses.clip_loss(
        text_side, _unit(p["txt_raw"]), jnp.exp(p["logit_scale"]), mask=o["has_text"]
    )
    return supervised + o["lambda_dlilp"] * contrastive


OBJECTIVES = {"clip": _clip, "unicl": _unicl, "unimodal": _unimodal, "dlilp": _dlilp}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_value_and_gradients(oracle, name):
    prefix = f"{name}_grad_"
    wanted = {k.removeprefix(prefix): v for k, v in oracle.items() if k.startswith(prefix)}
    parameters = {k: jnp.asarray(oracle[k], jnp.float32) for k in wanted}
    for key in ("feat", "W_text_head", "W_label_head", "txt_raw", "prototypes", "logit_scale"):
        parameters.setdefault(key, jnp.asarray(oracle[key], jnp.float32))
    objective = functools.partial(OBJECTIVES[name], o=oracle)
    value, gradients = jax.jit(jax.value_and_grad(objective))(parameters)
    tolerance = BCE_TOLERANCE if name in ("unimodal", "dlilp") else 1e-5
    np.testing.assert_allclose(value, oracle[f"{name}_loss"], rtol=tolerance)
    for key, expected in wanted.items():
        error = np.linalg.norm(gradients[key] - expected) / np.linalg.norm(expected)
        assert error < tolerance, (key, error)


def test_bce_matches_to_rounding_once_the_released_divisor_is_restored(oracle):
    count = oracle["label_mask"].sum(1)
    logits = jnp.asarray(oracle["unimodal_logits"], jnp.float32)
    per_row = np.array(
        [
            losses.masked_bce_loss(
                logits[i : i + 1],
                jnp.asarray(oracle["Y_img"][i : i + 1], jnp.float32),
                oracle["label_mask"][i : i + 1],
            )
            for i in range(len(logits))
        ]
    )
    released = np.mean(per_row * count / (count + 1e-3))
    np.testing.assert_allclose(released, oracle["unimodal_loss"], rtol=1e-5)
