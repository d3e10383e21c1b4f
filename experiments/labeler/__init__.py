# SPDX-License-Identifier: Apache-2.0
"""How well the text labeler reads findings and places, beside other labelers: Open-i's reports with
their tags, cases written by hand, mentions read by medspaCy's ConText."""
