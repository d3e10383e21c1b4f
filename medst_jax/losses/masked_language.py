# SPDX-License-Identifier: Apache-2.0
"""Cross-entropy of the tokens that were hidden from a language model."""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from medst_jax.array_types import Array, Mask
from medst_jax.losses.shapes import masked_mean, real, zero_invalid


def masked_language_loss(
    logits: Float[Array, "B L V"], tokens: Int[Array, "B L"], predict_mask: Mask[Array, "B L"]
) -> Float[jax.Array, ""]:
    """Mean over predicted positions of the cross-entropy of the true token.

    Every predicted position of the batch weighs the same. The MRM release averages over all
    positions, padding included; this does not.

    Args:
      logits: [B, L, V].
      tokens: int [B, L], the true ids; read only where predicted.
      predict_mask: bool [B, L], true where a token was hidden and is to be predicted.

    Returns:
      A float32 scalar; 0 with zero gradient when nothing is predicted.

    Raises:
      ValueError: shapes disagree.

    Reference: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for
    Language Understanding", arXiv:1810.04805, section 3.1.
    """
    predicted = jnp.asarray(predict_mask).astype(bool)
    return masked_mean(token_errors(logits, tokens, predict_mask), predicted)


def token_errors(
    logits: Float[Array, "B L V"], tokens: Int[Array, "B L"], predict_mask: Mask[Array, "B L"]
) -> Float[jax.Array, "B L"]:
    """The terms of `masked_language_loss`: cross-entropy of each token, 0 where none is asked."""
    if not (logits.ndim == 3 and logits.shape[:2] == tokens.shape == predict_mask.shape):
        raise ValueError(
            f"logits {logits.shape}, tokens {tokens.shape} and predict_mask {predict_mask.shape} "
            "must be [B, L, V], [B, L] and [B, L]"
        )
    predicted = jnp.asarray(predict_mask).astype(bool)
    logits = real(zero_invalid(logits, predicted))
    tokens = jnp.where(predicted, tokens, 0)
    own = jnp.take_along_axis(logits, tokens[..., None], axis=2)[..., 0]
    return jnp.where(predicted, jax.nn.logsumexp(logits, axis=2) - own, 0.0)
