# SPDX-License-Identifier: Apache-2.0
"""Suites of evaluation tasks: values only, read by `launch/evaluate.py` and `launch/reality_check.py`."""
