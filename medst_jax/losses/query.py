# SPDX-License-Identifier: Apache-2.0
"""Losses of questions put to an image: is it there, and where (MedKLIP, KAD)."""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from medst_jax.array_types import Array, Mask
from medst_jax.losses.shapes import masked_mean, product, real, zero_invalid

PRESENT, ABSENT = 1, 0  # label codes; every other code is masked


def query_loss(logits: Float[Array, "B Q 2"], codes: Int[Array, "B Q"]) -> Float[jax.Array, ""]:
    """Mean over known (example, query) of the cross-entropy of absent against present.

    Args:
      logits: [B, Q, 2], of absent and of present.
      codes: int [B, Q]: 1 present, 0 absent; queries of any other code do not count.

    Returns:
      A float32 scalar; 0 with zero gradient when no query is known.

    Raises:
      ValueError: shapes disagree.

    Reference: Wu et al., "MedKLIP", arXiv:2301.02228, equation 6. KAD's release (arXiv:2302.14042)
    counts what a report does not mention as absent: give such codes as 0.
    """
    if not (logits.ndim == 3 and logits.shape == (*codes.shape, 2)):
        raise ValueError(f"logits {logits.shape} and codes {codes.shape} must be [B, Q, 2], [B, Q]")
    codes = jnp.asarray(codes)
    known = (codes == PRESENT) | (codes == ABSENT)
    logits = real(zero_invalid(logits, known))
    own = jnp.where(codes == PRESENT, logits[..., 1], logits[..., 0])
    return masked_mean(jax.nn.logsumexp(logits, axis=2) - own, known)


def place_loss(
    features: Float[Array, "B Q T"],
    positions: Float[Array, "K T"],
    choices: Int[Array, "B Q M"],
    codes: Int[Array, "B Q"],
) -> Float[jax.Array, ""]:
    """Mean over present queries of the cross-entropy of the true place among a few drawn ones.

    Args:
      features: [B, Q, T], answers in the space of places, not normalised.
      positions: [K, T], a vector for every place, not normalised.
      choices: int [B, Q, M], places offered to each query, the true one first; read only where
        the query counts. -1 in the first place: no place is known.
      codes: int [B, Q], label codes; 1 is present.

    Returns:
      A float32 scalar; 0 with zero gradient when no present query has a place.

    Raises:
      ValueError: shapes disagree.

    Reference: MedKLIP, arXiv:2301.02228, equation 7, as released: products without norm or
    temperature, seven other places drawn among those that are not true.
    """
    _check_places(features, positions, codes, choices.shape[:2])
    choices, codes = jnp.asarray(choices), jnp.asarray(codes)
    known = (codes == PRESENT) & (choices[..., 0] >= 0)
    offered = real(positions)[jnp.maximum(choices, 0)]
    logits = product("bqt,bqmt->bqm", zero_invalid(features, known), offered)
    return masked_mean(jax.nn.logsumexp(logits, axis=2) - logits[..., 0], known)


def place_loss_all(
    features: Float[Array, "B Q T"],
    positions: Float[Array, "K T"],
    place: Int[Array, "B Q"],
    codes: Int[Array, "B Q"],
    *,
    candidates: Mask[Array, "B Q K"] | None = None,
) -> Float[jax.Array, ""]:
    """`place_loss` with all places in the softmax: nothing is drawn, and one product serves.

    Args:
      features: [B, Q, T].
      positions: [K, T].
      place: int [B, Q], the true place, -1 for none.
      codes: int [B, Q], label codes; 1 is present.
      candidates: bool [B, Q, K], places that compete with the true one, which always counts;
        None for all. Leave out the further places of a query that has several.

    Returns:
      A float32 scalar; 0 with zero gradient when no present query has a place.

    Raises:
      ValueError: shapes disagree.
    """
    _check_places(features, positions, codes, place.shape)
    place, codes = jnp.asarray(place), jnp.asarray(codes)
    known = (codes == PRESENT) & (place >= 0)
    logits = product("bqt,kt->bqk", zero_invalid(features, known), positions)
    true = jnp.arange(len(positions)) == place[..., None]
    allowed = None if candidates is None else jnp.asarray(candidates).astype(bool) | true
    # A query that does not count has no true place: all of its logits are 0, and so finite.
    if allowed is not None:
        allowed = allowed | ~known[..., None]
    normaliser = jax.nn.logsumexp(logits, axis=2, where=allowed)
    return masked_mean(normaliser - jnp.sum(jnp.where(true, logits, 0.0), axis=2), known)


def _check_places(features: Array, positions: Array, codes: Array, given: tuple[int, ...]) -> None:
    agree = features.ndim == 3 and features.shape[:2] == codes.shape == given
    if not (agree and positions.ndim == 2 and positions.shape[1] == features.shape[2]):
        raise ValueError(
            f"features {features.shape}, positions {positions.shape}, codes {codes.shape} and "
            f"places {given} must be [B, Q, T], [K, T], [B, Q] and [B, Q]"
        )
