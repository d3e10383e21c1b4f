# SPDX-License-Identifier: Apache-2.0
"""Small batches for every loss over image-text pairs: its arguments and its numpy reading."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from medst_jax.losses import Pairwise
from tests.losses import reference

LABELS = 4


@dataclasses.dataclass(frozen=True)
class PairCase:
    """A loss by name.

    Attributes:
      name: the function is `losses.<name>_loss`.
      scalars: differentiable scalars that follow image and text.
      extra: from (image_labels, text_labels, similarity) to the arguments after the scalars.
      differentiable: whether those are differentiable.
      negatives: whether it takes a negative_mask.
    """

    name: str
    scalars: tuple[float, ...]
    extra: Callable[..., tuple[Any, ...]] = lambda *_: ()
    differentiable: bool = False
    negatives: bool = True


CASES = {
    case.name: case
    for case in (
        PairCase("clip", (6.0,)),
        PairCase("unicl", (6.0,), lambda image, text, similarity: (image, text)),
        PairCase("siglip", (6.0, -2.0)),
        PairCase("soft_target_clip", (6.0,), lambda *labels: labels[2:], True, False),
        PairCase("convirt", (0.2, 0.7)),
    )
}


def make(case: PairCase, rows: int, width: int = 5, seed: int = 0):
    """(differentiable arguments, further arguments, mask, negative_mask), numpy float64."""
    rng = np.random.default_rng(seed)
    image, text = (reference.unit(rng.normal(size=(rows, width))) for _ in range(2))
    image_labels, text_labels = ((rng.random((rows, LABELS)) < 0.3) * 1.0 for _ in range(2))
    similarity = rng.normal(size=(rows, rows)) * 2
    mask = rng.random(rows) < 0.7
    mask[0] = True
    extra = case.extra(image_labels, text_labels, similarity)
    arguments = [image, text, *map(np.float64, case.scalars)]
    if case.differentiable:
        return [*arguments, *extra], (), mask, rng.random((rows, rows)) < 0.7
    return arguments, extra, mask, rng.random((rows, rows)) < 0.7


def options(case: PairCase, mask=None, negative_mask=None) -> dict[str, Any]:
    """Keyword arguments of the loss and its reading."""
    return {"mask": mask} | ({"negative_mask": negative_mask} if case.negatives else {})


def triage_cases(rows: int) -> dict[str, dict[str, Any]]:
    """Keyword arguments of `triage_loss` by name: whole, masked, and given by rows."""
    rng = np.random.default_rng(12)
    vectors = reference.unit(rng.normal(size=(rows, 3)))
    limits = dict(high=0.7, low=0.1, image_weight=0.3)
    whole = dict(likeness=vectors @ vectors.T, **limits)
    mask = rng.random(rows) < 0.7
    mask[0] = True
    lazy = Pairwise(vectors, vectors, lambda r, c: r @ c.T)
    return {
        "triage": whole,
        "triage/masked": whole | {"mask": mask},
        "triage/lazy": whole | {"likeness": lazy, "mask": mask},
    }
