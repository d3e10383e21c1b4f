# SPDX-License-Identifier: Apache-2.0
"""Measures the text of Open-i's reports for data cards.

`python -m experiments.labeler.open_i_text [--shared=../shared]` writes `data_pipelines/open_i_text.json`:
statistics only, no text (the collection is licensed CC BY-NC-ND 4.0).
"""

import json
from pathlib import Path

from absl import app, flags

from experiments.labeler.open_i import read_reports
from medst_jax.data_pipelines.cards.text_statistics import REFERENCE, text_statistics

SHARED = flags.DEFINE_string("shared", "../shared", "folder with data/iu_reports_text")


def main(argv: list[str]) -> None:
    """Writes the file."""
    del argv
    statistics = text_statistics(r.sections for r in read_reports(Path(SHARED.value)))
    source = "Indiana University chest X-ray collection (Open-i; Demner-Fushman et al., 2016)"
    REFERENCE.write_text(json.dumps({"source": source, **statistics}, indent=1) + "\n")
    print(REFERENCE.read_text())


if __name__ == "__main__":
    app.run(main)
