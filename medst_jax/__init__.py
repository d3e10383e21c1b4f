# SPDX-License-Identifier: Apache-2.0
"""Pre-training chest X-ray encoders from images, reports, labels, views and study sequences."""

from typing import TYPE_CHECKING

from medst_jax.aliases import find_moved_modules
from medst_jax.on_demand import names_on_demand

if TYPE_CHECKING:
    from medst_jax.evaluate.encoder import load_encoder as load_encoder

__version__ = "0.1.0"

find_moved_modules()

__getattr__, __dir__, __all__ = names_on_demand(__name__, {"load_encoder": "evaluate.encoder"})
