# SPDX-License-Identifier: Apache-2.0
"""Trained systems as files for other programs: safetensors under known names, StableHLO."""

from medst_jax.export.checkpoint import FORMATS, export_checkpoint, read_rows
from medst_jax.export.errors import ExportError

__all__ = ["FORMATS", "ExportError", "export_checkpoint", "read_rows"]
