# SPDX-License-Identifier: Apache-2.0
"""Leakage between the splits of prepared data sets: patients, files, look-alike images."""
