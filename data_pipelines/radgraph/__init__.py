# SPDX-License-Identifier: Apache-2.0
"""Entities of radiology reports, from RadGraph's files."""
