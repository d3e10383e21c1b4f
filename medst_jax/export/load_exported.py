# SPDX-License-Identifier: Apache-2.0
"""Runs an exported StableHLO program with jax and numpy alone; copied into every export."""

import json
import pathlib

from jax import export


def load(folder, name):
    """`name` of config.json's programs, as a function of arrays."""
    folder = pathlib.Path(folder)
    known = json.loads((folder / "config.json").read_text())["programs"]
    if name not in known:
        raise KeyError(f"no program {name!r} in {folder}; there are {sorted(known)}")
    return export.deserialize(bytearray((folder / f"{name}.jax_export").read_bytes())).call


if __name__ == "__main__":
    import sys

    import numpy as np

    images = np.load(sys.argv[2])  # uint8 [b, S, S, 1]
    np.savez(sys.argv[3], **load(sys.argv[1], "encode_image")(images))
