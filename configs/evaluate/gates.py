# SPDX-License-Identifier: Apache-2.0
"""What a claim must pass before a system is asked to meet it: fixed before any of it was measured.

experiments/power.py measures both gates on a cohort of its own seed, which tunes nothing and judges nothing.

Signal: a net of the small variants' size, given as many images, passes the claim's own rule with its lower
bound above `FACTOR` minimal effects, once taught by the truth and, where a claim says that text teaches, once
taught by what the texts that training draws say, parsed.

Precision: with the judged number of patients and of training seeds the smallest difference that is seen
(lower 95% bound above zero) with chance `POWER` is no more than the minimal effect.

A claim that fails a gate is no claim. The aims below are of the cohort, reported beside the gates.
"""

COHORT_SEED = 299792
TRAINING_PATIENTS, JUDGED_PATIENTS = 8000, 4000  # as the claims' own commands prepare them
FACTOR = 2.0
POWER = 0.8

PAIR_PATIENTS = 20_000  # whose pairs teach the pair net
PAIR_ACCURACY, PAIR_GAIN = 0.55, 0.10  # its macro accuracy, and its gain over either image alone
WITHIN_PATIENT = (
    0.80  # of a reader of the truth, finding an image's impression among the same patient's
)
GRADE_ONE = 0.70  # AUROC of vascular edema against none, of the net taught by the truth
ATYPICAL_PHRASES, LOCATION_CONTRAST = (
    300,
    0.3,
)  # at least so many at a site; the mean box's contrast, below
