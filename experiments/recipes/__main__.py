# SPDX-License-Identifier: Apache-2.0
"""After a change of a configuration: write its options to tests/configs/golden, and docs/recipes.

python -m experiments.recipes
"""

import sys

from experiments.recipes.source import SourceError
from experiments.recipes.write import FOLDER, outdated, outlived, pages
from tests.configs import expanded


def main() -> None:
    expanded.write()
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
