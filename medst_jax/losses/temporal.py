# SPDX-License-Identifier: Apache-2.0
"""Cycle consistency of image and report sequences over time (Med-ST)."""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Real, ScalarLike

from medst_jax.array_types import Array, Mask
from medst_jax.losses.shapes import masked_mean, product, real, zero_invalid

# Keeps the logarithm of a variance finite where one study takes all the weight.
_VARIANCE_FLOOR = 1e-7


def forward_mapping_loss(
    source: Float[Array, "N T E"],
    target: Float[Array, "N T E"],
    study_mask: Mask[Array, "N T"],
    *,
    temperature: ScalarLike = 0.1,
    negative_mask: Mask[Array, "N T T"] | None = None,
) -> Float[jax.Array, ""]:
    """Each study's source must pick its own target among its sequence's, by squared distance.

    Args:
      source: [N, T, E] unit norm, one row per study.
      target: [N, T, E] unit norm, of the other modality.
      study_mask: bool [N, T], false where a sequence has no study.
      temperature: scalar that divides squared distances.
      negative_mask: bool [N, T, T], true where study u may be a negative of study t; studies with
        an equal report may not. The diagonal is always the positive.

    Returns:
      A float32 scalar, the mean over valid studies; 0 with zero gradient when there is none.

    Raises:
      ValueError: shapes disagree.

    Reference: Yang et al., "Unlocking the Power of Spatial and Temporal Information in Medical
    Multimodal Pre-training", arXiv:2405.19654, forward mapping classification; distances are not
    divided by the width.
    """
    source, target, study_mask = _checked(source, target, study_mask)
    candidates = _candidates(study_mask, negative_mask)
    log_shares = _log_shares(source, target, candidates, real(temperature))
    own = jnp.diagonal(log_shares, axis1=1, axis2=2)
    return masked_mean(-jnp.where(study_mask, own, 0.0), study_mask)


def reverse_mapping_loss(
    source: Float[Array, "N T E"],
    target: Float[Array, "N T E"],
    study_mask: Mask[Array, "N T"],
    *,
    times: Real[Array, "N T"] | None = None,
    temperature: ScalarLike = 0.1,
    variance_weight: ScalarLike = 0.001,
    huber_delta: float = 2.0,
    negative_mask: Mask[Array, "N T T"] | None = None,
) -> Float[jax.Array, ""]:
    """There and back: the way back from a study's soft target must end at the study's own time.

    The soft target is the mean of the targets under the softmax over distances; from it the
    softmax over the sources gives a distribution over the times, whose mean must be the study's.

    Args:
      source: [N, T, E] unit norm.
      target: [N, T, E] unit norm.
      study_mask: bool [N, T]; valid studies stand in time order.
      times: [N, T] days, or None; see `study_times`.
      temperature: scalar that divides squared distances.
      variance_weight: scalar, of the log-variance term.
      huber_delta: error beyond which the loss grows linearly; times lie in [0, 1), so that the
        default never gets there.
      negative_mask: bool [N, T, T], true where study u may be taken for study t, there and on the
        way back; two with equal reports cannot be told apart. A study itself always may.

    Returns:
      A float32 scalar, the mean over valid studies, possibly a little below zero; 0 with zero
      gradient when there is none.

    Raises:
      ValueError: shapes disagree.

    Reference: arXiv:2405.19654, reverse mapping regression; the variance-aware regression is
    that of Dwibedi et al., "Temporal Cycle-Consistency Learning", arXiv:1904.07846, section 3.2.
    """
    source, target, study_mask = _checked(source, target, study_mask)
    time = study_times(study_mask, times).astype(source.dtype)
    candidates = _candidates(study_mask, negative_mask)
    return regression(
        source,
        target,
        study_mask,
        candidates,
        time,
        real(temperature),
        real(variance_weight),
        huber_delta,
    )


def cycle_consistency_loss(
    image: Float[Array, "N T E"],
    text: Float[Array, "N T E"],
    study_mask: Mask[Array, "N T"],
    *,
    times: Real[Array, "N T"] | None = None,
    temperature: ScalarLike = 0.1,
    variance_weight: ScalarLike = 0.001,
    huber_delta: float = 2.0,
    negative_mask: Mask[Array, "N T T"] | None = None,
) -> Float[jax.Array, ""]:
    """Forward and reverse mapping from images to texts plus both from texts to images.

    Args and returns as for `reverse_mapping_loss`; a sequence of one study has no order and
    counts for nothing.
    """
    study_mask = jnp.asarray(study_mask).astype(bool)
    several = study_mask & (jnp.sum(study_mask, axis=1, keepdims=True) > 1)
    total = jnp.zeros(())
    for source, target in ((image, text), (text, image)):
        total += forward_mapping_loss(
            source, target, several, temperature=temperature, negative_mask=negative_mask
        )
        total += reverse_mapping_loss(
            source,
            target,
            several,
            times=times,
            temperature=temperature,
            variance_weight=variance_weight,
            huber_delta=huber_delta,
            negative_mask=negative_mask,
        )
    return total


def study_times(
    study_mask: Mask[Array, "N T"], times: Real[Array, "N T"] | None
) -> Float[jax.Array, "N T"]:
    """Times in [0, 1) of the valid studies of each sequence, [N, T]; 0 at the others.

    Of n studies in order, the k-th from 0 has k / n, or with days d
    (d_k - d_0) / (d_last - d_0) * (n - 1) / n. A sequence in which a day is unknown (NaN), or
    does not come after the one before it, takes k / n.
    """
    study_mask = jnp.asarray(study_mask).astype(bool)
    count = jnp.maximum(jnp.sum(study_mask, axis=1, keepdims=True), 1)
    rank = jnp.cumsum(study_mask, axis=1) - 1
    if times is None:
        return jnp.where(study_mask, rank / count, 0.0)
    days = real(times)
    dated = jnp.all(~study_mask | jnp.isfinite(days), axis=1, keepdims=True)
    days = jnp.where(study_mask & dated, days, 0.0)
    # The latest day before each study, whatever gaps lie between.
    before = jax.lax.cummax(jnp.where(study_mask, days, -jnp.inf), axis=1)[:, :-1]
    rising = jnp.all((days[:, 1:] > before) | ~study_mask[:, 1:], axis=1, keepdims=True)
    first = jnp.min(jnp.where(study_mask, days, jnp.inf), axis=1, keepdims=True)
    last = jnp.max(jnp.where(study_mask, days, -jnp.inf), axis=1, keepdims=True)
    usable = dated & rising & (count > 1)
    span = jnp.where(usable, last - first, 1.0)
    spread = jnp.where(usable, days - first, 0.0) / span * ((count - 1) / count)
    return jnp.where(study_mask, jnp.where(usable, spread, rank / count), 0.0)


def regression(
    source: Float[jax.Array, "N T E"],
    target: Float[jax.Array, "N T E"],
    study_mask: Bool[jax.Array, "N T"],
    candidates: Bool[jax.Array, "N T T"],
    time: Float[jax.Array, "N T"],
    temperature: Float[jax.Array, ""],
    variance_weight: Float[jax.Array, ""],
    huber_delta: float,
) -> Float[jax.Array, ""]:
    """`reverse_mapping_loss` for given times [N, T] and the studies that each may be taken for."""
    shares = jnp.exp(_log_shares(source, target, candidates, temperature))
    attended = product("ntu,nue->nte", shares, target)
    back = jnp.exp(_log_shares(attended, source, candidates, temperature))
    mean = product("ntk,nk->nt", back, time)
    variance = jnp.sum(back * jnp.square(time[:, None, :] - mean[:, :, None]), axis=2)
    log_variance = jnp.log(variance + _VARIANCE_FLOOR)
    error = jnp.abs(time - mean)
    near = jnp.exp(-log_variance) * jnp.square(error) + variance_weight * log_variance
    far = huber_delta * (error - huber_delta / 2)
    return masked_mean(jnp.where(error < huber_delta, near, far), study_mask)


def _checked(
    source: Array, target: Array, study_mask: Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    if not (source.ndim == 3 and source.shape == target.shape):
        raise ValueError(
            f"source {source.shape} and target {target.shape} must have one shape [N, T, E]"
        )
    if study_mask.shape != source.shape[:2]:
        raise ValueError(f"study_mask {study_mask.shape} must be [N, T] = {source.shape[:2]}")
    study_mask = jnp.asarray(study_mask).astype(bool)
    source, target = (real(zero_invalid(x, study_mask)) for x in (source, target))
    return source, target, study_mask


def _candidates(study_mask: jax.Array, negative_mask: Array | None) -> jax.Array:
    """Bool [N, T, T]: which studies u compete with study t, and t itself."""
    shape = (*study_mask.shape, study_mask.shape[1])
    if negative_mask is not None and negative_mask.shape != shape:
        raise ValueError(f"negative_mask {negative_mask.shape} must be [N, T, T] = {shape}")
    both = study_mask[:, :, None] & study_mask[:, None, :]
    if negative_mask is not None:
        both &= jnp.asarray(negative_mask).astype(bool)
    # Missing studies keep a share of their own, so that their rows stay finite.
    return both | jnp.eye(study_mask.shape[1], dtype=bool)


def _log_shares(
    queries: jax.Array, keys: jax.Array, candidates: jax.Array, temperature: jax.Array
) -> jax.Array:
    """Log-softmax [N, T, T] over keys of minus the squared distance over the temperature."""
    distance = (
        jnp.sum(jnp.square(queries), axis=2)[:, :, None]
        + jnp.sum(jnp.square(keys), axis=2)[:, None, :]
        - 2 * product("nte,nue->ntu", queries, keys)
    )
    scores = -jnp.maximum(distance, 0.0) / temperature
    normaliser = jax.nn.logsumexp(scores, axis=2, keepdims=True, where=candidates)
    return jnp.where(candidates, scores - normaliser, -jnp.inf)
