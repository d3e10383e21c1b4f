# SPDX-License-Identifier: Apache-2.0
"""CANDID-PTX: radiographs and reports of Dunedin Hospital, New Zealand."""
