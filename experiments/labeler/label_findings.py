# SPDX-License-Identifier: Apache-2.0
"""Judges `label_findings` on real reports against their indexers' tags, beside other labelers.

    python -m experiments.labeler.label_findings [--shared=../shared] [--half=tuning|held_out]
        [--medspacy_python=PYTHON] [--earlier_labels=FILE] [--write_labels=FILE] [--json]

Tags are not a gold standard of the text (indexers leave out what they think trivial), so the
figures compare labelers and are no accuracy. The others use the same phrase lists; see
`mention_labelers.py`. Reports that nobody tagged are left out. `--write_labels` writes the labels of
all reports; a later version is set beside them by `--earlier_labels`. medspaCy needs an interpreter of its own: `python -m venv V`,
`V/bin/pip install medspacy`, `--medspacy_python=V/bin/python`. Intervals of the difference in
macro F1 are 95% bootstraps over reports. The lists have no words for organs and their size, which
`label_findings` reads: most of the lead of the version before over ConText was in the heart and the
mediastinum (held-out half, an earlier map of the tags: 0.810 and 0.758; without those two 0.802 and
0.796).
"""

import json
from pathlib import Path

from absl import app, flags

from experiments.labeler.labeler_scores import measure
from experiments.labeler.open_i import ARCHIVE, read_reports
from medst_jax.text.labeler import label_findings
from medst_jax.text.mentions import FINDINGS

SHARED = flags.DEFINE_string("shared", "../shared", "folder with data/iu_reports_text")
HALF = flags.DEFINE_enum("half", "tuning", ["tuning", "held_out"], "which reports, by id hash")
EARLIER = flags.DEFINE_string("earlier_labels", "", "labels that another version wrote")
WRITE = flags.DEFINE_string("write_labels", "", "file for the labels of all reports, by number")
MEDSPACY = flags.DEFINE_string("medspacy_python", "", "an interpreter that has medspacy")
JSON = flags.DEFINE_bool("json", False, "print one JSON object")


def main(argv: list[str]) -> None:
    """Prints the table of one half."""
    del argv
    shared = Path(SHARED.value)
    if not (shared / ARCHIVE).exists():
        raise app.UsageError(f"--shared={shared} has no {ARCHIVE}")
    every = list(read_reports(shared))
    if WRITE.value:
        labels = {report.number: label_findings(report.text) for report in every}
        Path(WRITE.value).write_text(json.dumps(labels))
    held_out = HALF.value == "held_out"
    reports = [r for r in every if r.tagged and r.held_out == held_out]
    earlier = json.loads(Path(EARLIER.value).read_text()) if EARLIER.value else None
    result = {"half": HALF.value, **measure(reports, MEDSPACY.value, earlier)}
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
