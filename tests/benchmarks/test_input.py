# SPDX-License-Identifier: Apache-2.0
"""The input benchmark's parts on a tiny data set; its figures are not judged here."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
import simplejpeg

from medst_jax.benchmarks.input import _processor_seconds, measure, table
from medst_jax.benchmarks.input_peers import peers
from medst_jax.benchmarks.textured import _picture, prepare_textured
from tests.parallel.together import ROOT


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("textured")
    assert prepare_textured(str(folder), "made", 40, 96) == "textured"
    return str(folder)


def test_rates_are_of_the_data_set(data_dir):
    row = measure(
        data_dir, "made", "textured", size=48, images=64, batch=32, turns=1, torch_python=""
    )
    assert row["stored"] == [96, 96] and row["size"] == 48
    assert row["bare"] > 0 and row["share"] == pytest.approx(row["pipeline"] / row["bare"], 1e-2)
    assert row["share_workers"] == pytest.approx(row["pipeline_workers"] / row["bare"], 1e-2)
    assert row["first_pass"] > 0
    assert json.loads(json.dumps(row)) == row
    # TensorFlow's where it is installed.
    assert set(row["peers"]) - {"tf_data_own_0"} == {"grain_pil_0", "grain_simplejpeg_0"}
    assert all(rate > 0 for rate in row["peers"].values())
    assert "96 -> 48" in table([row]) and "times as fast" in table([row])


def test_a_peer_that_cannot_run_is_named(tmp_path):
    with (
        peers([], str(tmp_path), size=8, batch=4, torch_python="") as running,
        pytest.raises(ValueError, match=r"input \w+_0 ended; run .*input_peer"),
    ):
        running[0].read(4)


def test_made_images_compress_like_radiographs():
    picture = _picture(np.random.default_rng(0), 512)
    encoded = simplejpeg.encode_jpeg(picture[..., None], quality=95, colorspace="GRAY")
    # A radiograph of this size takes about 72 kB.
    assert 55_000 < len(encoded) < 90_000


def test_processor_time_counts_worker_processes():
    before = _processor_seconds()
    busy = "import time\nwhile time.process_time() < 0.6: pass\ntime.sleep(30)"
    with subprocess.Popen([sys.executable, "-c", busy], env=os.environ) as worker:
        end = time.monotonic() + 20
        while _processor_seconds() - before < 0.5 and time.monotonic() < end:
            time.sleep(0.1)
        counted = _processor_seconds() - before
        worker.kill()
    assert counted >= 0.5


def test_command_prints_json(data_dir):
    done = subprocess.run(
        [
            *(sys.executable, str(ROOT / "launch" / "benchmark.py"), "--what=input", "--json"),
            *(f"--data_dir={data_dir}", "--dataset=made", "--vocabulary=textured", "--turns=1"),
        ],
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["what"] == "input" and answer["versions"]["jax"]
    (row,) = answer["rows"]
    assert np.isfinite(row["share"])
