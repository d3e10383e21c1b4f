# SPDX-License-Identifier: Apache-2.0
"""Chest ImaGenome: anatomy and findings with boxes on MIMIC-CXR's images."""
