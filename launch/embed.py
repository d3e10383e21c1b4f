# SPDX-License-Identifier: Apache-2.0
"""Image features of any image_table folder (metadata.csv and images), without preparing it first.

    python launch/embed.py --checkpoint=/tmp/dlilp --source_dir=FOLDER --output=features.npz

The file holds image_id, features [N, D] (before projection, for probes) and global_ [N, E] (unit
norm, joint space), in the order of metadata.csv. Images go through the same decoding, grey
values and fitting as in training; rejected rows are counted and listed by line and reason in
`<output>.rejects.jsonl`.
"""

import pathlib
import sys

from absl import app, flags

if not __package__:  # run as a script: the repository need not be installed
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from medst_jax.commands.parts.answers import user_errors
from medst_jax.commands.parts.parse import parse_flags
from medst_jax.data.records.schema import INTENSITIES

_CHECKPOINT = flags.DEFINE_string("checkpoint", None, "Workdir of a training run.", required=True)
_SOURCE = flags.DEFINE_string("source_dir", None, "Folder with metadata.csv.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "The .npz file to write.", required=True)
_INTENSITY = flags.DEFINE_enum(
    "intensity", "voi_lut", INTENSITIES, "Grey values; voi_lut leaves 8-bit images as they are."
)
_BATCH = flags.DEFINE_integer("batch_size", 64, "Images per call.", lower_bound=1)
_STEP = flags.DEFINE_integer("step", None, "Which checkpoint; default: the newest.")
_EMA = flags.DEFINE_bool("ema", False, "Use the moving average of the parameters.")


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    # JAX only now: flags are parsed, and help printed, without it.
    from medst_jax.commands.parts.embedding import embed
    from medst_jax.train.checkpoint import load_system

    with user_errors():
        loaded = load_system(_CHECKPOINT.value, step=_STEP.value, ema=_EMA.value)
        embed(
            loaded,
            _SOURCE.value,
            _OUTPUT.value,
            intensity=_INTENSITY.value,
            batch_size=_BATCH.value,
        )


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
