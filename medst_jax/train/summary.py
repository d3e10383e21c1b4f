# SPDX-License-Identifier: Apache-2.0
"""The end of a run: checksums of its state, and summary.json."""

import hashlib
import statistics
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from etils import epath
from jax.experimental import multihost_utils

from medst_jax.train.loop import Outcome
from medst_jax.train.scalars import read_log
from medst_jax.train.workdir import SUMMARY_FILE, write_json


def checksum(arrays: Mapping[str, jax.Array]) -> str:
    """SHA-256 over the bytes of all arrays in the order of their paths, hexadecimal.

    Collective: every process must call it, because shards are gathered.
    """
    digest = hashlib.sha256()
    for path in sorted(arrays):
        digest.update(np.ascontiguousarray(_whole(arrays[path])).tobytes())
    return digest.hexdigest()


def state_checksum(tree: Any) -> str:
    """`checksum` of any pytree, leaves in the order of their key paths."""
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return checksum({jax.tree_util.keystr(path): leaf for path, leaf in leaves})


def write_summary(workdir: epath.Path, outcome: Outcome) -> dict[str, Any]:
    """Write summary.json on process 0 and return what it holds.

    Keys: `step`; `losses`, the last ten logged as [step, loss]; `parameter_checksum` over the
    parameters in path order; `state_checksum` over the whole state; `examples_per_second`
    (of a part of the run in which fewer than two steps ran, the median of those logged before; null
    without any); `devices`.
    """
    state, lines = outcome.state, read_log(workdir)
    losses = [[line["step"], line["loss"]] for line in lines if "loss" in line]
    rates = [line["examples_per_second"] for line in lines if "examples_per_second" in line]
    # A run that was killed after its last step still tells how fast it was.
    rate = outcome.examples_per_second or (statistics.median(rates) if rates else None)
    summary = {
        "step": int(state.step),
        "losses": losses[-10:],
        "parameter_checksum": checksum(state.params),
        "state_checksum": state_checksum(state),
        "examples_per_second": rate,
        "devices": jax.device_count(),
    }
    if jax.process_index() == 0:
        write_json(workdir / SUMMARY_FILE, summary)
    return summary


def _whole(array: jax.Array) -> np.ndarray:
    if array.is_fully_addressable or array.is_fully_replicated:
        return np.asarray(array)
    return np.asarray(multihost_utils.process_allgather(array, tiled=True))
