# SPDX-License-Identifier: Apache-2.0
"""Means of sums and counts, and the JSON lines they become."""

import json
import math

from medst_jax.train.scalars import Means, ScalarLog, read_log


def test_means_weigh_by_count():
    means = Means()
    means.add({"accuracy": (1.0, 2.0), "empty": (0.0, 0.0)})
    means.add({"accuracy": (5.0, 6.0), "empty": (0.0, 0.0)})
    assert means.take() == {"accuracy": 0.75}
    assert means.take() == {}


def test_lines_are_json_without_nan(tmp_path):
    log = ScalarLog(tmp_path, 0, tensorboard=False)
    log.write(3, {"loss": 0.5, "auc": math.nan})
    assert json.loads((tmp_path / "log.jsonl").read_text()) == {"step": 3, "loss": 0.5}


def test_resumed_log_drops_what_will_come_again(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 5}\n{"step": 10}\n{"step": 1')
    ScalarLog(tmp_path, 5, tensorboard=False)
    assert read_log(tmp_path) == [{"step": 5}]
    ScalarLog(tmp_path, 0, tensorboard=False)
    assert read_log(tmp_path) == []
