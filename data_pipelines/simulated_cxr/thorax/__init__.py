# SPDX-License-Identifier: Apache-2.0
"""Radiographs by ray tracing: anatomy, attenuation of each structure and finding, detector.

`render.py` is the way in. Lengths are millimetres. May import `findings`.
"""
