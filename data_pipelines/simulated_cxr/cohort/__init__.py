# SPDX-License-Identifier: Apache-2.0
"""Patients and the truth about them: study by study, with labels, annotations and splits.

`patients.py` is the way in. May import findings, thorax and reporter; `source.py` imports it.
"""
