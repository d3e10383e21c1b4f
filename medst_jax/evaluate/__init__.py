# SPDX-License-Identifier: Apache-2.0
"""Evaluation: protocols that see only the `System` interface, a tokenizer and studies.

`suite.py` runs a file of tasks after training, `in_loop.py` a few of them during it. `protocols/`
say what is asked, `subjects/` what is judged and on which studies, `fitting/` trains small heads,
`statistics/` turns predictions into values with intervals, `report/` draws the page. May import
systems and below; export, plans and the reality check come after it.
"""
