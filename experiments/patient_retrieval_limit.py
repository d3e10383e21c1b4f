# SPDX-License-Identifier: Apache-2.0
"""How well one who knows the truth tells which of a patient's reports belongs to which study.

    python -m experiments.patient_retrieval_limit --data_dir=data --dataset=simulated_cxr_e1

Forward mapping (Med-ST) trains exactly this, so it tells how much a temporal term can teach on the
simulated cohort. The reader sees no image: it is given each study's true findings, severities, sides
and what the frontal image shows, and learns on half of the patients which words of a report go with
them (a logistic regression for each word). On the other half a text's score with a study is its log
likelihood given the study's truth, less its mean over studies. Of a finding on both sides it knows
the larger severity only, it knows no synonyms and reads words one by one: a better reader may
exist. Takes a minute of one core; prints JSON.
"""

import json

import numpy as np
from absl import app, flags

from experiments.truth_reader import likelihoods, measure_reader, readable, word_table
from medst_jax.data.records.studies import open_studies

_DATA = flags.DEFINE_string("data_dir", "data", "Prepared simulated cohort.")
_DATASET = flags.DEFINE_string("dataset", "simulated_cxr_e1", "Of which site.")
_SPLIT = flags.DEFINE_string("split", "test", "With natural histories.")
_SECTIONS = flags.DEFINE_list("sections", ["impression"], "Of the reports.")
_STUDIES = flags.DEFINE_integer("studies", 4000, "At most so many.", lower_bound=100)


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    studies = open_studies(_DATA.value, _DATASET.value, _SPLIT.value, truth=True)
    patients, truths, texts = readable(studies, tuple(_SECTIONS.value), _STUDIES.value)
    train = patients < np.median(patients)
    scores = likelihoods(truths, word_table(texts), train)
    scores -= scores.mean(0)  # what a text says of any study
    test_texts = [text for text, used in zip(texts, train, strict=True) if not used]
    measurements = measure_reader(scores, patients[~train], test_texts)
    print(json.dumps({name: value._asdict() for name, value in measurements.items()}, indent=1))


if __name__ == "__main__":
    app.run(main)
