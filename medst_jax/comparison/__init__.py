# SPDX-License-Identifier: Apache-2.0
"""Several systems on the same test images: paired differences, curves of their trainings, one page.

`launch/compare.py` runs it.
"""
