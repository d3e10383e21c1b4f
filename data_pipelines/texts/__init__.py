# SPDX-License-Identifier: Apache-2.0
"""Data sets of text alone: sentence pairs and corpora."""
