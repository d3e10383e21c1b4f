# SPDX-License-Identifier: Apache-2.0
"""The scripts behind the results in `docs/`: claims, limits, the cohort's difficulty, labelers compared.

They train or read what the package offers and print the tables; nothing imports them but one another
and tests. They are run from a clone and are no part of the wheel.
"""
