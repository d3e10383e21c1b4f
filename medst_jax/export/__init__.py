# SPDX-License-Identifier: Apache-2.0
"""Trained systems as files for other programs: safetensors under known names, StableHLO.

`checkpoint.export_checkpoint` is the way in; every export is read back and compared before it takes
its place. `pickled` reads the checkpoints of others, with PyTorch where it is installed. May import
evaluate and below; `launch/export.py` and `launch/convert.py` import it.
"""

from medst_jax.export.checkpoint import FORMATS, export_checkpoint, read_rows
from medst_jax.export.errors import ExportError

__all__ = ["FORMATS", "ExportError", "export_checkpoint", "read_rows"]
