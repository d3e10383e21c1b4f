# SPDX-License-Identifier: Apache-2.0
"""The suite of Tables 2 to 4 of the reality check, end to end on trees in the official layouts."""

import json

import pytest

from medst_jax.configs.evaluate.dlilp import SEVEN, TEST, get_config
from medst_jax.evaluate.published.needs import needs_of
from medst_jax.evaluate.published.reality_check_numbers import TABLE_2_PROBE, TABLE_2_ZERO_SHOT

SUITE = get_config()


@pytest.mark.parametrize("rows", [TABLE_2_ZERO_SHOT, TABLE_2_PROBE])
def test_the_means_of_table_2_are_those_of_its_columns(rows) -> None:
    table = SUITE.benchmark.tables[0]
    place = {column["name"]: k for k, column in enumerate(table["columns"])}
    for column in table["columns"]:
        for name, values in rows.items():
            parts = [values[place[part]] for part in column.get("mean_of", ())]
            mean = values[place[column["name"]]]
            if parts and None not in (*parts, mean):
                # The paper rounds the two means before it averages them.
                assert mean == pytest.approx(sum(parts) / len(parts), abs=0.011), (name, column)


@pytest.mark.slow
def test_it_runs_on_its_data_sets(run, checkpoint, prepared, tmp_path) -> None:
    data = prepared(*dict.fromkeys(need.dataset for need in needs_of(SUITE.tasks)))
    flags = ("--suite=dlilp", f"--data_dir={data}")
    said = run("evaluate.py", *flags, "--dry_run")
    assert "12 of 12 parts of its data are in" in said and "rule: published" in said
    output = tmp_path / "out"
    said = run(
        "evaluate.py",
        *flags,
        f"--checkpoint={checkpoint}",
        f"--output={output}",
        "--suite.draws=20",
    )
    assert "skipped" not in said
    rows = {(r["task"], r["metric"]): r for r in json.loads((output / "metrics.json").read_text())}
    assert {task.partition("/")[0] for task, _ in rows} == set(SUITE.tasks)
    for name in {**TEST, **SEVEN}:
        row = rows[f"{name}, probe/16 shots", "balanced_accuracy"]
        assert 0 <= row["value"] <= 1 and row["n"] > 0
    # Twenty normal and twenty pneumothorax images, 15% of them in the test.
    assert rows["SIIM, zero-shot", "accuracy"]["n"] == 6
    # Every column of every table has a number of ours.
    tables = said[said.index("Table 2: zero-shot") :]
    ours = [line for line in tables.splitlines() if line.startswith("dlilp ")]
    assert len(ours) == 4 and not any("–" in line for line in ours)
    page = (output / "report.html").read_text()
    assert page.count('<table class="published">') == 4 and "how it is judged" in page
