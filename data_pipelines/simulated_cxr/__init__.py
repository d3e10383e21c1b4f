# SPDX-License-Identifier: Apache-2.0
"""The simulated cohort: patients with known truth, their radiographs, reports and labels.

`source.py` is the data set; `cohort/` makes patients, of states in `findings/`, images of `thorax/` and
reports of `reporter/`. Each room may import those before it in: findings, thorax, reporter, cohort.
`seeds.py` holds the version: the same version, seed and size give the same bytes.
"""
