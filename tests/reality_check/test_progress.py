# SPDX-License-Identifier: Apache-2.0
"""What the bar says of a cell while it trains and is judged."""

from medst_jax.reality_check.progress import progress


def test_a_cell_tells_its_step(tmp_path):
    assert progress(tmp_path / "absent") == "starting"
    (tmp_path / "config.json").write_text('{"train": {"steps": 1000}}')
    log = tmp_path / "log.jsonl"
    log.write_text("")
    assert progress(tmp_path) == "starting"
    log.write_text('{"step": 20, "loss": 1.0}\n' * 400 + '{"step": 40, "loss": 0.9}\n{"step": 6')
    assert progress(tmp_path) == "step 40 of 1000"
    (tmp_path / "summary.json").write_text("{}")
    assert progress(tmp_path) == "evaluating"
