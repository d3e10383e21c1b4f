# SPDX-License-Identifier: Apache-2.0
"""What a run records of the options of its input, to know them again."""

import dataclasses
import hashlib
import json

from medst_jax.added_options import without_before
from medst_jax.data.mixture.data_options import DataOptions
from medst_jax.options import before

# Raised whenever the same options and data come to other examples, their order, texts or labels.
STREAM_VERSION = 3
# Where files lie and how many threads read them changes no example: so a run may resume on another
# machine, with its data elsewhere.
_WITHOUT_EFFECT = ("data_dir", "num_workers", "threads")


@dataclasses.dataclass(frozen=True)
class AddedToStamp:
    """Keys of a stamp that earlier runs lack, and what a stamp without them stands for.

    stream_version: `STREAM_VERSION`. The hash of the options holds it too, but names no cause.
    """

    stream_version: int = dataclasses.field(default=STREAM_VERSION, metadata=before(3))


def config_hash(options: DataOptions, seed: int) -> str:
    """SHA-256, hexadecimal, of all that chooses examples but the data themselves.

    Options that were added later do not count while they do what was done before them.
    """
    config = without_before(DataOptions, dataclasses.asdict(options))
    for name in _WITHOUT_EFFECT:
        del config[name]
    # The order of the mixture numbers data sets and classes.
    config["mixture"] = list(config["mixture"].items())
    canonical = json.dumps({"seed": seed, "data": config, "orders": STREAM_VERSION}, sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
