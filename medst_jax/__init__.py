# SPDX-License-Identifier: Apache-2.0
"""Pre-training chest X-ray encoders from images, reports, labels, views and study sequences."""

__version__ = "0.1.0"
