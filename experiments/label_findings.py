# SPDX-License-Identifier: Apache-2.0
"""Judges `label_findings` on real reports against their indexers' tags, beside other labelers.

    python -m experiments.label_findings [--shared=../shared] [--half=tuning|held_out]
        [--medspacy_python=PYTHON] [--json]

Tags are not a gold standard of the text (indexers leave out what they think trivial), so the
figures compare labelers and are no accuracy. The others use the same phrase lists; see
`mention_labelers.py`. medspaCy needs an interpreter of its own: `python -m venv V`,
`V/bin/pip install medspacy`, `--medspacy_python=V/bin/python`. Intervals of the difference in
macro F1 are 95% bootstraps over reports. The lists have no words for organs and their size, which
`label_findings` reads: most of its lead over ConText is in the heart and the mediastinum (held-out
half: 0.810 and 0.758; without those two 0.802 and 0.796).
"""

import json
from pathlib import Path

from absl import app, flags

from experiments.labeler_scores import measure
from experiments.open_i import ARCHIVE, read_reports
from medst_jax.text.mentions import FINDINGS

SHARED = flags.DEFINE_string("shared", "../shared", "folder with data/iu_reports_text")
HALF = flags.DEFINE_enum("half", "tuning", ["tuning", "held_out"], "which reports, by id hash")
MEDSPACY = flags.DEFINE_string("medspacy_python", "", "an interpreter that has medspacy")
JSON = flags.DEFINE_bool("json", False, "print one JSON object")


def main(argv: list[str]) -> None:
    """Prints the table of one half."""
    del argv
    shared = Path(SHARED.value)
    if not (shared / ARCHIVE).exists():
        raise app.UsageError(f"--shared={shared} has no {ARCHIVE}")
    reports = [r for r in read_reports(shared) if r.held_out == (HALF.value == "held_out")]
    result = {"half": HALF.value, **measure(reports, MEDSPACY.value)}
    if JSON.value:
        print(json.dumps(result))
        return
    tables = result.pop("findings")
    for key, value in result.items():
        print(f"{key}: {value}")
    print(f"{'precision/recall/F1':28s} {'tags':>5s}  {'  '.join(f'{n:14s}' for n in tables)}")
    for name in FINDINGS:
        row = "  ".join(
            f"{t[name]['precision']:.2f}/{t[name]['recall']:.2f}/{t[name]['f1']:.2f}"
            for t in tables.values()
        )
        print(f"{name:28s} {tables['keyword'][name]['tagged']:5d}  {row}")


if __name__ == "__main__":
    app.run(main)
