# SPDX-License-Identifier: Apache-2.0
"""The batch contract: a flat dict of arrays, its keys, types and shapes; and per-example keys."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from flax import nnx

TEXT_NONE, TEXT_REPORT, TEXT_PROMPT = 0, 1, 2


@dataclass(frozen=True)
class Field:
    """One key: dtype, shape after B (S side, L tokens, C labels), and what it holds."""

    dtype: str
    shape: tuple[str | int, ...]
    meaning: str


FIELDS: dict[str, Field] = {
    "frontal": Field("uint8", ("S", "S", 1), "grey image; zeros when absent"),
    "has_frontal": Field("bool", (), ""),
    "lateral": Field("uint8", ("S", "S", 1), "grey image; zeros when absent"),
    "has_lateral": Field("bool", (), ""),
    "tokens": Field("int32", ("L",), "ids of the text, 0 is padding"),
    "token_mask": Field("bool", ("L",), "true where there is a token"),
    "sentence_index": Field("int32", ("L",), "sentence of a token; -1 specials and padding"),
    "text_source": Field("int8", (), "0 none, 1 report, 2 prompt"),
    "labels": Field("float32", ("C",), "of the study, in {0, 1}"),
    "label_mask": Field("bool", ("C",), "which of the study's labels are known"),
    "text_labels": Field("float32", ("C",), "of the drawn text, in {0, 1}"),
    "text_label_mask": Field("bool", ("C",), "which of the text's labels are known"),
    "example": Field("int32", (), "position in the global stream"),
    "patient": Field("int32", (), "equal numbers: same patient"),
    "study": Field("int32", (), "equal numbers: same study"),
    "text": Field("int32", (), "equal numbers: identical text; -1 no text"),
    "source": Field("int8", (), "data set of the mixture"),
    "severity": Field("int8", (), "edema severity 0 to 3; -1 unknown"),
}

# Made only where a system lists them: they cost a decode, or few data sets have them.
ON_REQUEST = ("lateral", "has_lateral", "severity")


def keys_of(required: Iterable[str]) -> tuple[str, ...]:
    """The keys of a batch that serves `required`: all of the contract but what costs a decode.

    Raises:
      ValueError: a key that no input gives, `truth_*` among them.
    """
    wanted = set(required)
    for key in sorted(wanted):
        if key.startswith("truth_"):
            raise ValueError(f"batch key {key!r}: truth features are for evaluators, not training")
        if key not in FIELDS:
            raise ValueError(f"batch key {key!r} is not in the input; it has: {', '.join(FIELDS)}")
    if wanted & {"lateral", "has_lateral"}:
        wanted |= {"lateral", "has_lateral"}
    return tuple(key for key in FIELDS if key not in ON_REQUEST or key in wanted)


def batch_spec(
    keys: Iterable[str], batch: int, *, size: int, length: int, labels: int
) -> dict[str, jax.ShapeDtypeStruct]:
    """Shapes and dtypes of a batch of `batch` rows."""
    sizes = {"S": size, "L": length, "C": labels}
    return {
        key: jax.ShapeDtypeStruct(
            (batch, *(d if isinstance(d, int) else sizes[d] for d in FIELDS[key].shape)),
            np.dtype(FIELDS[key].dtype),
        )
        for key in keys
    }


def check_batch(batch: Mapping[str, Any], required: Iterable[str]) -> None:
    """Check that a batch has the required keys, with the contract's types, ranks and rows.

    Raises:
      ValueError: names the key and what is wrong with it.
    """
    rows = len(batch["example"]) if "example" in batch else None
    for key in required:
        if key not in batch:
            raise ValueError(f"batch has no {key!r}; it has: {', '.join(batch)}")
    for key, value in batch.items():
        if key not in FIELDS:
            continue
        field = FIELDS[key]
        if np.dtype(value.dtype) != np.dtype(field.dtype):
            raise ValueError(f"batch[{key!r}] is {value.dtype}; it must be {field.dtype}")
        if value.ndim != 1 + len(field.shape) or (rows is not None and len(value) != rows):
            shape = ", ".join(["B" if rows is None else f"B={rows}", *map(str, field.shape)])
            raise ValueError(f"batch[{key!r}] has shape {value.shape}; it must be [{shape}]")


def example_keys(rngs: jax.Array | nnx.Rngs | None, example: jax.Array) -> jax.Array | None:
    """One key per example, `fold_in(base, example)`, so that no draw depends on its row.

    Args:
      rngs: a typed key, or `nnx.Rngs`, whose default stream's key is the base and is not
        advanced: the examples of the next batch have positions of their own.
      example: int32 [B], positions in the global stream.

    Returns:
      Typed keys [B]; None when `rngs` is None.
    """
    if rngs is None:
        return None
    base = rngs["default"].key[...] if isinstance(rngs, nnx.Rngs) else rngs
    return jax.vmap(jax.random.fold_in, (None, 0))(base, example)
