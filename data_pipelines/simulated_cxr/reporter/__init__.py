# SPDX-License-Identifier: Apache-2.0
"""Reports in a site's style, with labels per sentence; `reporter.py` is the way in.

The tables of phrases are data. May import `findings`; what can be seen reaches it as numbers.
"""
