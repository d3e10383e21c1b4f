# SPDX-License-Identifier: Apache-2.0
"""The page of an evaluation: figures, examples and style. Imported by `launch/evaluate.py`; the
reality check takes its figures.
"""
