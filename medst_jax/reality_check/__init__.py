# SPDX-License-Identifier: Apache-2.0
"""The reality check: systems x training mixtures x seeds, trained, evaluated and put in one table.

The parts: `options` declares the check, `cells` says which trainings it takes, `runner` does them (any
number of processes share an output folder), `statistics` and `results` turn their predictions into
rows, `page` writes the report. `launch/reality_check.py` is the command. Comes last: may import every other room,
and none imports it.
"""
