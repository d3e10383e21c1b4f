# SPDX-License-Identifier: Apache-2.0
"""What can go wrong in an export."""


class ExportError(RuntimeError):
    """An export that cannot be made, or that did not give back what went in."""
