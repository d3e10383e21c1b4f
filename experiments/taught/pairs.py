# SPDX-License-Identifier: Apache-2.0
"""Pairs of split "progression" of other patients than the prepared ones, and a net that learns from them."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from experiments.small_net import Data, collected, trained
from experiments.taught import facts
from experiments.taught.net import TaughtNet, loss, read_changes, read_images
from medst_jax.data_pipelines.simulated_cxr.cohort.blocks import PROGRESSION
from medst_jax.data_pipelines.simulated_cxr.cohort.patients import Case, patient_studies
from medst_jax.data_pipelines.simulated_cxr.seeds import VERSION
from medst_jax.data_pipelines.simulated_cxr.sites import SITES

FIRST = 1_000_000  # number of the first patient, far from those of any prepared split


def image_pairs(first: int, last: int, *, seed: int, size: int) -> Data:
    """Pairs of E1 of patients [first, last): `image` [n, 2, S, S], the prior first, and true facts.

    Each pair comes twice, the second time with both images exchanged: the split is the same when time
    runs backwards.
    """
    site = replace(SITES["e1"], lateral=0.0, reports=False)  # frontal images are the same without
    images, truths = [], []
    for number in range(first, last):
        for study in patient_studies(Case(site, seed, number, size, PROGRESSION)):
            images.append(study.images[0].pixels)
            truths.append(dict(study.truth))
    order = np.arange(len(images))
    stored = np.stack(images)
    told = facts.true(truths, order ^ 1, size).arrays()  # the other study of the same patient
    grade = np.array([int(truth["truth_edema"]) for truth in truths])
    return {"image": np.stack([stored[order ^ 1], stored], axis=1), **told, "grade": grade}


def taught_by_pairs(
    net: TaughtNet,
    *,
    patients: int,
    seed: int,
    size: int,
    steps: int,
    batch: int,
    workers: int,
    cache: str,
) -> TaughtNet:
    """The net after `steps` of `batch` pairs of so many patients of a cohort; `net` is used up."""
    name = "-".join(map(str, (VERSION, "taught", seed, size, patients)))
    make = partial(image_pairs, seed=seed, size=size)
    file = Path(cache) / f"{name}.npz" if cache else None
    data = collected(make, FIRST, FIRST + patients, workers=workers, file=file)
    return trained(net, loss, data, steps=steps, batch=batch, rate=1e-3)


def own_reading(net: TaughtNet, prior: np.ndarray, current: np.ndarray) -> np.ndarray:
    """The net's own choice of -1, 0 or 1 for each finding [N, F], of uint8 images [N, S, S]."""
    before, after = (read_images(net, images)["cells"] for images in (prior, current))
    return read_changes(net, before, after).argmax(-1) - 1
