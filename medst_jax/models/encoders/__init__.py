# SPDX-License-Identifier: Apache-2.0
"""Whole encoders of images and texts, and temporal ones: float32 images or tokens to features.

May import `layers/`; heads, weights, systems and evaluation import it.
"""
