# SPDX-License-Identifier: Apache-2.0
"""Memory per chip that the TPU compiler says value and gradient of the losses take."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MIB = 2**20

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("libtpu") is None,
        reason="libtpu is not installed; it compiles for a TPU without one",
    ),
]


def _peak(*arguments: str) -> int:
    finished = subprocess.run(
        [sys.executable, "-m", "medst_jax.benchmarks.losses", "peak", *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "JAX_PLATFORMS": "cpu",
            "TPU_SKIP_MDS_QUERY": "1",
            "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
            "XLA_FLAGS": "",
        },
        check=True,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    return json.loads(finished.stdout.splitlines()[-1])["peak_bytes"]


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_a_ring_of_65536_pairs_fits_in_160_mib(name):
    assert _peak(name, "ring", "65536") <= 160 * MIB


def test_a_ring_of_1024_texts_and_images_by_words_and_regions_fits_in_a_quarter_gib():
    assert _peak("gloria_local", "ring", "1024") <= 256 * MIB
