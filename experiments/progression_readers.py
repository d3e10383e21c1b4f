# SPDX-License-Identifier: Apache-2.0
"""Nets that learn severities and their changes from the truth of the simulated cohort."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from experiments.small_net import AUGMENT, Data, Net, Rows, blockwise, normalised
from medst_jax.data_pipelines.simulated_cxr.cohort.blocks import SMALL_CHANGES
from medst_jax.data_pipelines.simulated_cxr.cohort.patients import Case, patient_studies
from medst_jax.data_pipelines.simulated_cxr.findings.findings import FINDINGS
from medst_jax.data_pipelines.simulated_cxr.findings.progression import TARGETS
from medst_jax.data_pipelines.simulated_cxr.sites import SITES

UNKNOWN = -2  # code of a change that is not judged; -1, 0 and 1 are better, unchanged and worse
SCALE = 0.1  # a severity's error of one deviation, so that both losses of pairs are in nats


def single_images(first: int, last: int, *, seed: int, size: int) -> Data:
    """Frontal images [n, S, S] of site M, true severities [n, 4], and which of them are seen."""
    return _rows(partial(_case, "m", "", seed, size), first, last, lateral=False)


def image_pairs(first: int, last: int, *, seed: int, size: int, judged: bool) -> Data:
    """Pairs of E1: image [n, 2, S, S], severity and seen [n, 2, 4], the prior first; change [n, 4].

    `judged` counts what only a lateral image shows as seen, as the stored split does; without
    the laterals, whose frontal images are the same, pairs are made in half the time.
    """
    rows = _rows(partial(_case, "e1", SMALL_CHANGES, seed, size), first, last, lateral=judged)
    halves = {name: np.stack([rows[name][::2], rows[name][1::2]], 1) for name in rows}
    return {**halves, "change": halves["change"][:, 1]}


def _case(site: str, split: str, seed: int, size: int, number: int) -> Case:
    return Case(SITES[site], seed, number, size, split)


def _rows(case: Callable[[int], Case], first: int, last: int, *, lateral: bool) -> Data:
    columns = [FINDINGS.index(name) for name in TARGETS]
    rows: dict[str, list] = {"image": [], "severity": [], "seen": [], "change": []}
    for number in range(first, last):
        study_case = case(number)
        if not lateral:
            study_case = replace(
                study_case, site=replace(study_case.site, lateral=0.0, reports=False)
            )
        for study in patient_studies(study_case):
            seen = (study.truth["truth_visible_in"][columns] & 1) > 0
            rows["image"].append(study.images[0].pixels)
            rows["severity"].append(study.truth["truth_severity"][columns])
            rows["seen"].append(seen)
            rows["change"].append([study.progression.get(name, UNKNOWN) for name in TARGETS])
    return {name: np.stack(values) for name, values in rows.items()}


class PairNet(nnx.Module):
    """Change of each finding, from the difference of the severities read and all features.

    It starts as the reader of severities: the linear part over the features starts at zero.
    """

    def __init__(self, net: Net, rngs: nnx.Rngs) -> None:
        self.net = net
        self.gain = nnx.Param(jnp.full(len(TARGETS), 1.0))
        zero = nnx.initializers.zeros_init()
        width = 3 * net.trunk.features
        self.head = nnx.Linear(width, 3 * len(TARGETS), kernel_init=zero, rngs=rngs)

    def __call__(self, images: jax.Array, *, train: bool) -> tuple[jax.Array, jax.Array]:
        """Logits [B, 4, 3] and severities [B, 2, 4] of images [B, 2, S, S, 1], the prior first."""
        pooled = self.net.pooled(images.reshape(-1, *images.shape[2:]), train=train)
        severities = self.net.head(pooled).reshape(len(images), 2, -1)
        prior, current = pooled.reshape(len(images), 2, -1).swapaxes(0, 1)
        linear = self.head(jnp.concatenate([current, prior, current - prior], 1))
        change = (severities[:, 1] - severities[:, 0]) / SCALE * self.gain[...]
        slopes = change[..., None] * jnp.array([-1.0, 0.0, 1.0])
        return linear.reshape(len(images), -1, 3) + slopes, severities


def severity_loss(net: Net, rows: Rows, keys: jax.Array) -> jax.Array:
    """Squared error of the visible severities, summed over findings."""
    predicted = net(AUGMENT(normalised(rows["image"]), keys), train=True)
    return _squares(predicted, rows["severity"] * rows["seen"])


def pair_loss(net: PairNet, rows: Rows, keys: jax.Array) -> jax.Array:
    """Cross entropy of the changes and squared error of both severities.

    Half of the pairs are turned round in time: the split is the same either way.
    """
    keys = jax.vmap(lambda key: jax.random.split(key, 3))(keys)
    turned = jax.vmap(jax.random.bernoulli)(keys[:, 2])
    known = rows["change"] != UNKNOWN
    change = jnp.where(turned[:, None], -rows["change"], rows["change"])
    visible = rows["severity"] * rows["seen"]
    severity = jnp.where(turned[:, None, None], visible[:, ::-1], visible)
    pixels = jnp.where(turned[:, None, None, None], rows["image"][:, ::-1], rows["image"])
    images = normalised(pixels)
    flat = AUGMENT(images.reshape(-1, *images.shape[2:]), keys[:, :2].reshape(-1))
    logits, predicted = net(flat.reshape(images.shape), train=True)
    target = jnp.where(known, change + 1, 0)
    value = optax.softmax_cross_entropy_with_integer_labels(logits, target)
    return (value * known).sum() / len(images) + _squares(predicted, severity)


def _squares(predicted: jax.Array, severity: jax.Array) -> jax.Array:
    return ((predicted - severity) ** 2 / (2 * SCALE**2)).sum(-1).mean()


def read_singly(net: Net, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Severities [n, 2, 4] and pooled features [n, 2, D] of pairs."""
    flat = images.reshape(-1, *images.shape[2:])
    pooled = blockwise(lambda net, block: net.pooled(normalised(block), train=False), net, flat)
    severities = pooled @ np.asarray(net.head.kernel[...]) + np.asarray(net.head.bias[...])
    return severities.reshape(len(images), 2, -1), pooled.reshape(len(images), 2, -1)
