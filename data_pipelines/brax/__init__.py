# SPDX-License-Identifier: Apache-2.0
"""BRAX: radiographs of a Brazilian hospital with labels."""
