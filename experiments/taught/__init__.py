# SPDX-License-Identifier: Apache-2.0
"""Nets that are taught what an image shows, by the truth or by what its report says: see experiments/power.py."""
