# SPDX-License-Identifier: Apache-2.0
"""Pre-training chest X-ray encoders from images, reports, labels, views and study sequences."""

from medst_jax.aliases import find_moved_modules

__version__ = "0.1.0"

find_moved_modules()
