# SPDX-License-Identifier: Apache-2.0
"""How often the cohort's reports mention the findings outside the labels, against their tiers.

    python -m experiments.cohort_text --data_dir=DATA --reports=20000 --json

reads site M of a prepared cohort: the share of studies in which each finding can be seen (the
constants of `mention_tiers`), and the share of its reports that name it. Then it writes `reports`
further ones over visible findings drawn from the same studies, since the lowest tiers need more
reports than a small cohort has.
"""

import json
from collections import Counter

import numpy as np
from absl import app, flags

from medst_jax.data.records.studies import open_studies, read_info
from medst_jax.data_pipelines.simulated_cxr.findings.findings import EXTRA, FINDINGS, RENDERED
from medst_jax.data_pipelines.simulated_cxr.findings.states import onset
from medst_jax.data_pipelines.simulated_cxr.reporter.mention_tiers import VISIBLE, tiers
from medst_jax.data_pipelines.simulated_cxr.reporter.phrases_extra import named
from medst_jax.data_pipelines.simulated_cxr.reporter.reporter import Reporter

DATA_DIR = flags.DEFINE_string("data_dir", "data", "folder of a prepared cohort")
REPORTS = flags.DEFINE_integer("reports", 20_000, "reports to write anew")
JSON = flags.DEFINE_bool("json", False, "print one JSON object")

NAME = "simulated_cxr_m"


def rewrite(visible: np.ndarray, seed: int, count: int) -> Counter[str]:
    """Writes `count` reports over rows of visible findings [n, F]; returns who is named how often."""
    rng = np.random.default_rng(seed)
    mentioned: Counter[str] = Counter()
    for row in rng.integers(len(visible), size=count).tolist():
        present = [name for name in RENDERED if visible[row, FINDINGS.index(name)]]
        state = {name: onset(rng, name) for name in present}
        reporter = Reporter(rng, "m", site="m", cohort_seed=seed)
        report = reporter.write(state, dict.fromkeys(present, 0.8), None, frozenset(), ("PA",))
        mentioned.update(named(report.sections))
    return mentioned


def main(argv: list[str]) -> None:
    """Prints the table."""
    del argv
    visible, stored = [], Counter[str]()
    for split in sorted(read_info(DATA_DIR.value, NAME)["splits"]):
        studies = open_studies(DATA_DIR.value, NAME, split, truth=True)
        for i in range(len(studies)):
            study = studies[i]
            visible.append(study.truth["truth_visible_in"] > 0)
            stored.update(named(study.sections))
    seen = np.array(visible)
    seed = int(read_info(DATA_DIR.value, NAME)["build"]["arguments"].get("seed") or 0)
    again = rewrite(seen, seed, REPORTS.value)
    table = {
        name: {
            "tier": tiers(seed)[name],
            "visible": round(float(seen[:, FINDINGS.index(name)].mean()), 4),
            "visible_assumed": VISIBLE[name],
            "named_in_stored": round(stored[name] / len(seen), 5),
            "named_in_rewritten": round(again[name] / max(REPORTS.value, 1), 5),
        }
        for name in EXTRA
    }
    if JSON.value:
        print(json.dumps({"studies": len(seen), "reports": REPORTS.value, "findings": table}))
        return
    print(f"{len(seen)} studies, {REPORTS.value} reports written anew")
    for name, row in sorted(table.items(), key=lambda item: -item[1]["tier"]):
        print(f"{name:24s}", *(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    app.run(main)
