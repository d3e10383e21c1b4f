# SPDX-License-Identifier: Apache-2.0
"""The suites of GLoRIA, MGCA and BenchX, end to end on trees in the official layouts."""

import html
import json

import pytest

from medst_jax.configs.evaluate import benchx, gloria_mgca
from medst_jax.evaluate.published.needs import needs_of
from medst_jax.evaluate.suite import parse_suite


def test_variants_parse_and_others_are_refused() -> None:
    for suite, variants in ((benchx, benchx.VARIANTS), (gloria_mgca, ("quick",))):
        for variant in variants:
            options, _ = parse_suite(suite.get_config(variant))
            assert options.benchmark is not None
        with pytest.raises(ValueError, match="has no variant 'fast'"):
            suite.get_config("fast")


def test_own_splits_need_no_lists() -> None:
    names = {need.dataset for need in needs_of(benchx.get_config("own_splits").tasks)}
    assert not any(name.endswith("_benchx") for name in names)
    assert len(names) == len(benchx.OWN) + 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "tables"),
    [("gloria_mgca:quick", 3), ("benchx:quick", 4)],
    ids=["gloria_mgca", "benchx"],
)
def test_it_runs_on_its_data_sets(name, tables, run, checkpoint, prepared, tmp_path) -> None:
    suite = {"gloria_mgca": gloria_mgca, "benchx": benchx}[name.partition(":")[0]].get_config()
    needs = needs_of(suite.tasks)
    data = prepared(*dict.fromkeys(need.dataset for need in needs))
    flags = (f"--suite={name}", f"--data_dir={data}")
    said = run("evaluate.py", *flags, "--dry_run")
    assert f"{len(needs)} of {len(needs)} parts of its data are in" in said
    assert ("split lists: train" in said) == name.startswith("benchx")
    output = tmp_path / "out"
    flags += ("--suite.draws=20", f"--checkpoint={checkpoint}", f"--output={output}")
    said = run("evaluate.py", *flags)
    assert "skipped" not in said
    rows = json.loads((output / "metrics.json").read_text())
    assert {row["task"].partition("/")[0] for row in rows} == set(suite.tasks)
    # Every column of every table has a number of ours.
    ours = [line for line in said.splitlines() if line.startswith("dlilp ")]
    assert len(ours) == tables and not any("–" in line for line in ours)
    page = (output / "report.html").read_text()
    assert page.count('<table class="published">') == tables
    for design in suite.benchmark.designs.values():
        assert design.split in html.unescape(page)
