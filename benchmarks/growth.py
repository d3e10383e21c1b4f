# SPDX-License-Identifier: Apache-2.0
"""Processor time and peak memory of what grows with the data, at the size of the largest public sets.

    python -m benchmarks.growth --what=look_alikes    # audit by perceptual hash, 377k x 112k films
    python -m benchmarks.growth --what=retrieval      # ranks of 30k images among 30k texts
    python -m benchmarks.growth --what=... --share=0.1   # a tenth of each side

One line of JSON. Seconds are of the processor (user and system); the peak is of the whole process, so each
figure has a process of its own. The inputs are made: the seconds leave out their making.
"""

import json
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from absl import app, flags

_WHAT = flags.DEFINE_enum("what", None, ["look_alikes", "retrieval"], "What to measure.")
_SHARE = flags.DEFINE_float("share", 1.0, "Share of the full size on each side.", 0.001, 1.0)

_TRAINED, _EVALUATED = 377_110, 112_120  # MIMIC-CXR-JPG and NIH ChestX-ray14
_GALLERY, _WIDTH = 30_000, 512


def films(count: int, rng: np.random.Generator) -> np.ndarray:
    """Hashes uint16 [count, WORDS] of made films: one chest, large differences, little noise."""
    from medst_jax.data_pipelines.audit import perceptual

    side = perceptual.SIDE
    chest = np.random.default_rng(0).normal(0, 1, (side, side + 1)).cumsum(1)
    shapes = np.random.default_rng(1).normal(0, 1, (24, side, side + 1)).cumsum(1).cumsum(2) / 8
    blocks = []
    for start in range(0, count, 10_000):
        n = min(10_000, count - start)
        grey = chest + np.tensordot(rng.normal(0, 1, (n, 24)), shapes, 1)
        grey += rng.normal(0, 0.4, grey.shape)
        blocks.append(np.packbits((np.diff(grey) > 0).reshape(n, -1), axis=1).view(np.uint16))
    return np.concatenate(blocks)


def look_alikes(share: float) -> dict[str, Any]:
    """The search for films of one set among those of another; a hundred are planted."""
    from medst_jax.data_pipelines.audit import perceptual

    rng = np.random.default_rng(2)
    trained, evaluated = (films(int(n * share), rng) for n in (_TRAINED, _EVALUATED))
    evaluated[:100] = trained[rng.choice(len(trained), 100, replace=False)]
    near, seconds = timed(lambda: perceptual.has_near(evaluated, trained))
    if not near[:100].all():
        raise RuntimeError("a planted film was not found")
    apart = [perceptual.distance(row, trained).min() for row in evaluated[100:300]]
    return {
        "films": [len(trained), len(evaluated)],
        "found": int(near.sum()),
        "nearest_bits": [int(min(apart)), float(np.median(apart))],  # least and median of 200 films
        "cpu_s": seconds,
    }


def retrieval(share: float) -> dict[str, Any]:
    """Ranks in both directions, a tenth of the texts being equal to others."""
    from medst_jax.evaluate.protocols.retrieval import first_hit_ranks

    rng = np.random.default_rng(3)
    count = int(_GALLERY * share)
    images = rng.normal(0, 1, (count, _WIDTH)).astype(np.float32)
    texts = images + rng.normal(0, 3, images.shape).astype(np.float32)
    numbers = rng.integers(0, 5 * count, count)
    ranks, seconds = timed(lambda: first_hit_ranks(images, texts, numbers))
    return {"gallery": count, "median_rank": float(np.median(ranks)), "cpu_s": seconds}


def timed(function: Callable[[], np.ndarray | tuple[np.ndarray, ...]]) -> tuple[Any, float]:
    """The value of a call and its processor seconds, all threads."""
    start = time.process_time()
    value = function()
    return value, round(time.process_time() - start, 2)


def main(_: list[str]) -> None:
    measured = {"look_alikes": look_alikes, "retrieval": retrieval}[_WHAT.value](_SHARE.value)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    print(json.dumps({"what": _WHAT.value, **measured, "peak_mb": round(peak / 1e6)}))


if __name__ == "__main__":
    flags.mark_flag_as_required("what")
    app.run(main)
