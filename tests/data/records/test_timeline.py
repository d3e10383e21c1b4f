# SPDX-License-Identifier: Apache-2.0
import numpy as np

from medst_jax.data.records.timeline import patient_counts, prior_rows


def test_priors_agree_with_a_search():
    rng = np.random.default_rng(0)
    patient = np.repeat(np.arange(20), rng.integers(1, 6, 20))
    usable = rng.random(len(patient)) < 0.6
    for row, prior in enumerate(prior_rows(patient, usable)):
        earlier = [k for k in range(row) if patient[k] == patient[row] and usable[k]]
        assert prior == (earlier[-1] if earlier else -1)


def test_nothing_has_no_priors():
    empty = np.zeros(0, np.int64)
    assert len(prior_rows(empty, empty.astype(bool))) == 0
    assert patient_counts(empty).tolist() == []
