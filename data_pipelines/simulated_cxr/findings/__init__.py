# SPDX-License-Identifier: Apache-2.0
"""What a patient has and how it evolves: names, states, progression, confounding, visibility.

The lowest room of the cohort: knows neither images nor reports.
"""
