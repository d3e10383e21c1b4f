# SPDX-License-Identifier: Apache-2.0
"""Makes `finding_cases` importable under --import-mode=importlib."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
