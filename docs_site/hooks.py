# SPDX-License-Identifier: Apache-2.0
"""What the site's builder calls: pages of the public names, which are made with the site alone."""

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # the builder reads this file by its path
    sys.path.insert(0, str(ROOT))

from mkdocs.structure.files import File, Files

from docs_site.api import ROOMS, page


def on_files(files: Files, config: Any) -> Files:
    """Add one page of names for every room."""
    for room in ROOMS:
        path = f"reference/api/{room}.md"
        files.append(File.generated(config, path, content=page(room)))
    return files
