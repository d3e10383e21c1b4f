# SPDX-License-Identifier: Apache-2.0
"""A program: every loss that has forms, dense against chunked and ring on eight devices, as JSON.

Run with XLA_FLAGS=--xla_force_host_platform_device_count=8: the number of devices is fixed when
the process starts. Each line of the result is the difference in value and the largest difference
of a gradient, both relative to the dense form.
"""

import contextlib
import json
import sys

import jax
import jax.numpy as jnp
import numpy as np

from medst_jax import losses
from medst_jax.parallel import make_mesh
from tests.losses.pair_cases import CASES, make, options, triage_cases
from tests.losses.reference import unit

ROWS = 24
MESHES = {"none": None, "one": (1, 1, 1), "data": (8, 1, 1), "both": (4, 2, 1), "tensor": (2, 2, 2)}
CHUNKS = {"chunked": (1, 7, 24, None), "ring": (2, None)}


def cases():
    """Name to (function of keyword-free arguments given the loss, arguments)."""
    found = {}
    for name in ("clip", "siglip", "unicl", "soft_target_clip"):
        case = CASES[name]
        arguments, extra, mask, negatives = make(case, ROWS)
        study = np.arange(ROWS) // 2
        lazy = losses.Pairwise(study, study, _differ)
        for suffix, given in {
            "": options(case),
            "/masked": options(case, mask, negatives),
            "/lazy": options(case, mask, lazy),
        }.items():
            found[name + suffix] = (_closed(extra, given), arguments)
    for name, given in triage_cases(ROWS).items():
        found[name] = (_closed((), given), make(CASES["clip"], ROWS)[0])
    rng = np.random.default_rng(5)
    words, patches = (unit(rng.normal(size=(ROWS, n, 3))) for n in (4, 5))
    word_mask, patch_mask = (np.arange(n) < rng.integers(0, n + 1, (ROWS, 1)) for n in (4, 5))
    weights = [rng.random(mask.shape) for mask in (word_mask, patch_mask)]

    study = np.arange(ROWS) // 2

    def gloria(negatives):
        return lambda loss, words, patches, scale: loss(
            words, patches, word_mask, scale=scale, negative_mask=negatives
        )

    def alignment(negatives):
        def terms(loss, words, patches, *weights_and_temperature):
            *weights, temperature = weights_and_temperature
            terms = loss(
                words,
                patches,
                word_mask,
                patch_mask,
                *weights,
                temperature=temperature,
                negative_mask=negatives,
            )
            return terms[0] + 2 * terms[1]

        return terms

    pairs, word_pairs = (rng.random((ROWS, n, n)) < 0.6 for n in (ROWS, 4))
    for suffix, negatives in {
        "": None,
        "/masked": pairs[0],
        "/lazy": losses.Pairwise(study, study, _differ),
    }.items():
        arguments = [words, patches, np.float64(3.0)]
        found["gloria_local" + suffix] = (gloria(negatives), arguments)
    for suffix, negatives in {"": None, "/masked": word_pairs}.items():
        arguments = [words, patches, *weights, np.float64(0.3)]
        found["token_alignment" + suffix] = (alignment(negatives), arguments)
    return found


def _differ(rows, columns):
    return rows[:, None] != columns[None, :]


def _closed(extra, given):
    return lambda loss, *arguments: loss(*arguments, *extra, **given)


def evaluated(function, loss, arguments, dtype):
    given = [jnp.asarray(a, dtype) for a in arguments]

    def twice(*given):
        return 2.0 * function(loss, *given)

    return jax.jit(jax.value_and_grad(twice, argnums=tuple(range(len(given)))))(*given)


def difference(found, expected) -> float:
    found, expected = (np.asarray(x, np.float64) for x in (found, expected))
    return float(np.max(np.abs(found - expected)) / max(float(np.max(np.abs(expected))), 1e-6))


def main(names: list[str]) -> None:
    """`names` of cases; "--quick" leaves all meshes but one and one chunk size."""
    results = {}
    every = cases()
    quick = "--quick" in names
    meshes = {"data": MESHES["data"]} if quick else MESHES
    chunks = {"ring": (2,)} if quick else CHUNKS
    for key in (name for name in names if name != "--quick"):
        function, arguments = every[key]
        name = key.split("/")[0]
        for dtype in (jnp.float32, jnp.bfloat16):
            expected = evaluated(function, losses.select(name, "dense"), arguments, dtype)
            for mesh_name, sizes in meshes.items():
                form = "chunked" if mesh_name == "none" else "ring"
                mesh = sizes and make_mesh(*sizes, devices=jax.devices()[: int(np.prod(sizes))])
                with jax.set_mesh(mesh) if mesh else contextlib.nullcontext():
                    for chunk in chunks[form]:
                        loss = losses.select(name, form, chunk=chunk)
                        found = evaluated(function, loss, arguments, dtype)
                        dtypes = [g.dtype for g in found[1]] == [g.dtype for g in expected[1]]
                        label = f"{key} {jnp.dtype(dtype).name} {mesh_name} {form} {chunk}"
                        results[label] = (
                            difference(found[0], expected[0]),
                            max(map(difference, found[1], expected[1])),
                            dtypes,
                        )
    print(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1:])
