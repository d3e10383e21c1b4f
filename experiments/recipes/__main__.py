# SPDX-License-Identifier: Apache-2.0
"""Write docs/recipes/: `python -m experiments.recipes`."""

import sys

from experiments.recipes.source import SourceError
from experiments.recipes.write import FOLDER, outdated, outlived, pages


def main() -> None:
    try:
        written, sheets = pages()
    except SourceError as error:
        sys.exit(f"error: {error}")
    for name in outdated(written):
        (FOLDER / name).write_text(written[name])
        print(f"wrote {FOLDER / name}")
    for line in outlived(sheets):
        print(line)


if __name__ == "__main__":
    main()
