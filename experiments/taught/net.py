# SPDX-License-Identifier: Apache-2.0
"""A net of the small variants' size that is taught facts: maps of findings, severities and changes."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments.small_net import AUGMENT, Data, Rows, normalised, trained
from experiments.taught.facts import GRID, NAMES, ZONES, region_of
from medst_jax.configs import biovil
from medst_jax.models.encoders.resnet import ResNet, ResNetOptions

LEVELS = 4  # grades of edema
_SCALE = 0.2  # a severity's error of one deviation, so that all losses are in nats
_SMOOTH = 1.0  # of the mean over cells that stands for the highest
_RIGHT = region_of("right", "").ravel()
_ZONES = np.stack(
    [np.arange(GRID * GRID) // GRID * len(ZONES) // GRID == k for k in range(len(ZONES))]
)


class Reading(NamedTuple):
    """What the net reads of B images; F findings, P cells.

    maps: logits [B, P, F]. present, right: logits [B, F]. zones: logits [B, F, 3].
    severity: [B, F]. grade: logits [B, 3] of at least so much edema. pooled: [B, D].
    """

    maps: jax.Array
    present: jax.Array
    right: jax.Array
    zones: jax.Array
    severity: jax.Array
    grade: jax.Array
    pooled: jax.Array


class TaughtNet(nnx.Module):
    """The image encoder of the small variants with a head for each kind of fact."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        values = dict(biovil.get_config("smoke").system.image)
        del values["name"]
        self.trunk = ResNet(ResNetOptions.small(**values, channels=1), rngs=rngs)
        width, findings = self.trunk.features, len(NAMES)
        # Heads start at zero: pooled features of a net that knows nothing are large.
        head = partial(nnx.Linear, kernel_init=nnx.initializers.zeros_init(), rngs=rngs)
        self.map_head = nnx.Linear(width, findings, rngs=rngs)
        self.size_head = head(2 * width, findings)
        self.grade_head = head(2 * width, LEVELS - 1)
        self.change_head = head(6 * width, 3 * findings)
        self.gain = nnx.Param(jnp.ones(findings))

    def cells(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Features [B, P, D] of normalised images [B, S, S, 1]."""
        last = self.trunk(images, train=train).stages[-1].astype(jnp.float32)
        return last.reshape(len(images), -1, last.shape[-1])

    def read(self, cells: jax.Array) -> Reading:
        """What cells [B, P, D] show."""
        maps = self.map_head(cells)
        pooled = jnp.concatenate([cells.mean(1), cells.max(1)], axis=1)
        inside = [highest(maps, jnp.asarray(zone)) for zone in _ZONES]
        sides = [highest(maps, jnp.asarray(side)) for side in (_RIGHT, ~_RIGHT)]
        return Reading(
            maps,
            highest(maps, jnp.ones(maps.shape[1], bool)),
            sides[0] - sides[1],
            jnp.stack(inside, -1),
            self.size_head(pooled),
            self.grade_head(pooled),
            pooled,
        )

    def change(self, prior: jax.Array, current: jax.Array) -> jax.Array:
        """Logits [B, F, 3] of less, the same and more, from cells [B, P, D] of both images."""
        before, after = self.read(prior), self.read(current)
        more, less = jax.nn.relu(current - prior).mean(1), jax.nn.relu(prior - current).mean(1)
        both = jnp.concatenate([before.pooled, after.pooled, more, less], axis=1)
        slope = (after.severity - before.severity) / _SCALE * self.gain[...]
        linear = self.change_head(both).reshape(len(both), -1, 3)
        return linear + slope[..., None] * jnp.array([-1.0, 0.0, 1.0])


def highest(maps: jax.Array, where: jax.Array) -> jax.Array:
    """A smooth maximum [B, F] of maps [B, P, F] over the cells `where`, bool [P] or [B, P, F]."""
    where = jnp.broadcast_to(where[:, None] if where.ndim == 1 else where, maps.shape)
    masked = jnp.where(where, maps / _SMOOTH, -1e9)
    count = jnp.maximum(where.sum(1), 1)
    return _SMOOTH * (jax.nn.logsumexp(masked, axis=1) - jnp.log(count) / 2)


def loss(net: TaughtNet, rows: Rows, keys: jax.Array) -> jax.Array:
    """Nats per image of all facts that are known; the prior comes first in `image` [B, 2, S, S].

    Both images of a pair are augmented with one draw, as systems see them.
    """
    images = normalised(rows["image"])
    flat = AUGMENT(images.reshape(-1, *images.shape[2:]), jnp.repeat(keys, 2, axis=0))
    cells = net.cells(flat, train=True)
    prior, current = cells.reshape(len(images), 2, *cells.shape[1:]).swapaxes(0, 1)
    reading = net.read(current)
    present = rows["present"]
    allowed = (rows["region"] > 0).swapaxes(1, 2)
    there = (present == 1)[:, None, :]
    # A finding shows somewhere where it may be, and nowhere else; what is absent shows nowhere.
    shown = highest(reading.maps, jnp.where(there, allowed, True))
    elsewhere = _binary(reading.maps, jnp.zeros_like(reading.maps)) * (there & ~allowed)
    terms = [
        _known(present, lambda target: _binary(shown, target)),
        elsewhere.sum((1, 2)) / GRID,
        _known(rows["right"], lambda target: _binary(reading.right, target)),
        _known(rows["severity"], lambda t: (reading.severity - t) ** 2 / (2 * _SCALE**2)),
        _known(rows["zone"], lambda target: _classes(reading.zones, target)),
        _known(rows["change"], lambda t: _classes(net.change(prior, current), t + 1)),
    ]
    levels = jnp.arange(1, LEVELS)
    graded = (rows["grade"] >= 0)[:, None]
    terms.append((_binary(reading.grade, rows["grade"][:, None] >= levels) * graded).sum(1))
    return jnp.mean(jnp.stack(terms).sum(0))


def _binary(logits: jax.Array, target: jax.Array) -> jax.Array:
    return jax.nn.softplus(logits) - target * logits


def _classes(logits: jax.Array, target: jax.Array) -> jax.Array:
    log_p = jax.nn.log_softmax(logits)
    return -jnp.take_along_axis(log_p, target.astype(jnp.int32)[..., None], -1)[..., 0]


def _known(target: jax.Array, term) -> jax.Array:  # type: ignore[no-untyped-def]
    """The sum [B] of a term over the findings whose target is known."""
    known = ~jnp.isnan(target)
    return (term(jnp.where(known, target, 0.0)) * known).sum(1)


def teach(data: Data, *, steps: int, batch: int, seed: int, rate: float) -> TaughtNet:
    """A net after `steps` of `batch` pairs; a rate of 0 leaves it as it is but for its batch norm."""
    net = TaughtNet(nnx.Rngs(seed))
    return trained(net, loss, data, steps=steps, batch=batch, rate=rate, seed=seed)


def read_images(net: TaughtNet, images: np.ndarray) -> dict[str, np.ndarray]:
    """Reading of uint8 images [N, S, S], by name, and their `cells`."""

    def call(net: TaughtNet, block: jax.Array) -> tuple[jax.Array, ...]:
        cells = net.cells(normalised(block), train=False)
        return (*net.read(cells), cells)

    return dict(zip((*Reading._fields, "cells"), _blocks(call, net, images), strict=True))


def read_changes(net: TaughtNet, prior: np.ndarray, current: np.ndarray) -> np.ndarray:
    """Logits of change [N, F, 3] of cells [N, P, D]."""
    (logits,) = _blocks(lambda net, a, b: (net.change(a, b),), net, prior, current)
    return logits


def _blocks(call, net: TaughtNet, *arrays: np.ndarray) -> list[np.ndarray]:  # type: ignore[no-untyped-def]
    """`call` on blocks of equal size, the last padded: one compilation for any number of rows."""
    compiled, size, count = nnx.jit(call), 128, len(arrays[0])
    blocks = []
    for start in range(0, max(count, 1), size):
        parts = [_padded(a[start : start + size], size) for a in arrays]
        blocks.append([np.asarray(x) for x in compiled(net, *parts)])
    return [np.concatenate(leaves)[:count] for leaves in zip(*blocks, strict=True)]


def _padded(rows: np.ndarray, size: int) -> np.ndarray:
    missing = size - len(rows)
    return np.concatenate([rows, np.zeros((missing, *rows.shape[1:]), rows.dtype)])
