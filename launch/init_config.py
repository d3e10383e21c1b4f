# SPDX-License-Identifier: Apache-2.0
"""Write a configuration and an evaluation suite for your own prepared data.

    python launch/init_config.py mine --data=mine --data_dir=data

writes mine.py, nine lines that train a system on the data, and mine_suite.py, which judges it on their
test part; both are yours to change. --system names a shipped configuration; by default it is
dlilp where there are reports and labels, clip for reports alone and unimodal for labels alone.
Several data sets are named as --data=a,b; the first one is judged.
"""

import pathlib
import sys

from absl import app, flags

if not __package__:  # run as a script: the repository need not be installed
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from medst_jax.commands.parts.answers import user_errors
from medst_jax.commands.parts.parse import parse_flags

_DATA = flags.DEFINE_list("data", None, "Prepared data sets.", required=True)
_DATA_DIR = flags.DEFINE_string("data_dir", "data", "Folder that prepare.py wrote.")
_SYSTEM = flags.DEFINE_string("system", None, "A shipped configuration, such as clip.")
_SIZED = flags.DEFINE_enum(
    "variant", "smoke", ["smoke", "paper"], "For two CPU cores, or of the size published."
)
_FOLDER = flags.DEFINE_string("folder", ".", "Where to write the two files.")


def main(argv: list[str]) -> None:
    if len(argv) != 2:
        raise app.UsageError("give the new configuration one name, such as mine")
    from medst_jax.commands.parts.own_experiment import write_experiment

    with user_errors():
        lines = write_experiment(
            argv[1],
            tuple(_DATA.value),
            data_dir=_DATA_DIR.value,
            system=_SYSTEM.value,
            variant="smoke" if _SIZED.value == "smoke" else "",
            folder=pathlib.Path(_FOLDER.value),
        )
    print("\n".join(lines))


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
