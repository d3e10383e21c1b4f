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
    """One key: dtype, shape after the rows, meaning.

    Of the shape: S side, L tokens, C labels, T studies, Q entities, K places.

    rows: "B", one per study, or "N", one per sequence.
    """

    dtype: str
    shape: tuple[str | int, ...]
    meaning: str
    rows: str = "B"


# Patients, studies and texts are numbers whose equality alone means something: a loss needs no more,
# and nothing in a batch leads back to a person.
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
    "prior_frontal": Field("uint8", ("S", "S", 1), "of the patient's study before this one"),
    "has_prior": Field("bool", (), ""),
    "findings_tokens": Field("int32", ("L",), "text of the FINDINGS section"),
    "findings_mask": Field("bool", ("L",), "all false without that section"),
    "impression_tokens": Field("int32", ("L",), "text of the IMPRESSION section"),
    "impression_mask": Field("bool", ("L",), "all false without that section"),
    "word_index": Field("int32", ("L",), "which word a token is part of; -1 specials, padding"),
    "findings_text": Field("int32", (), "equal numbers: identical FINDINGS; -1 none"),
    "impression_text": Field("int32", (), "equal numbers: identical IMPRESSION; -1 none"),
    "second_tokens": Field("int32", ("L",), "ids of a second, independent draw of the text"),
    "second_mask": Field("bool", ("L",), "true where the second draw has a token"),
    "second_text": Field("int32", (), "as `text`, of the second draw"),
    "second_labels": Field("float32", ("C",), "of the second draw, in {0, 1}"),
    "second_label_mask": Field("bool", ("C",), "which labels of the second draw are known"),
    "entities": Field(
        "int8", ("Q",), "1 affirmed, 0 denied, -1 doubted, -2 unmentioned, -3 no report"
    ),
    "entity_place": Field("int16", ("Q",), "a true place, drawn; -1 none"),
    "entity_places": Field("bool", ("Q", "K"), "all true places"),
    "pair_tokens": Field("int32", ("L",), "ids of a text that says the same as `tokens`"),
    "pair_mask": Field("bool", ("L",), "true where there is a token"),
    "concept": Field("int32", (), "equal numbers: texts of one concept; -1 none"),
    "sequence_rows": Field("int32", ("T",), "rows of a sequence in time order, -1 absent", "N"),
    "study_days": Field("float32", ("T",), "since the patient's first study, NaN unknown", "N"),
}

# Made only where a system lists one of the group: they cost a decode, a tokenisation or packing,
# or few data sets have them.
GROUPS = (
    ("lateral", "has_lateral"),
    ("prior_frontal", "has_prior"),
    ("findings_tokens", "findings_mask", "impression_tokens", "impression_mask"),
    ("findings_text", "impression_text"),
    ("second_tokens", "second_mask", "second_text", "second_labels", "second_label_mask"),
    ("word_index",),
    ("severity",),
    ("entities", "entity_place", "entity_places"),
    ("pair_tokens", "pair_mask", "concept"),
    ("sequence_rows", "study_days"),
)
ON_REQUEST = tuple(key for group in GROUPS for key in group)


def keys_of(required: Iterable[str]) -> tuple[str, ...]:
    """The keys of a batch that serves `required`: all of the contract but what comes on request.

    Raises:
      ValueError: a key that no input gives, `truth_*` among them.
    """
    wanted = set(required)
    for key in sorted(wanted):
        if key.startswith("truth_"):
            raise ValueError(f"batch key {key!r}: truth features are for evaluators, not training")
        if key not in FIELDS:
            raise ValueError(f"batch key {key!r} is not in the input; it has: {', '.join(FIELDS)}")
    # One of a group costs as much as all of it, and half a group means nothing.
    for group in GROUPS:
        if wanted & set(group):
            wanted |= set(group)
    return tuple(key for key in FIELDS if key not in ON_REQUEST or key in wanted)


def batch_spec(
    keys: Iterable[str],
    batch: int,
    *,
    size: int,
    length: int,
    labels: int,
    studies: int = 0,
    entities: int = 0,
    places: int = 0,
) -> dict[str, jax.ShapeDtypeStruct]:
    """Shapes and dtypes of a batch of `batch` rows, sequences of at most `studies`.

    A sequence has at least two rows, so that there are at most half as many as rows.
    """
    sizes = {"S": size, "L": length, "C": labels, "T": studies, "Q": entities, "K": places}
    rows = {"B": batch, "N": batch // 2}
    return {
        key: jax.ShapeDtypeStruct(
            (
                rows[FIELDS[key].rows],
                *(d if isinstance(d, int) else sizes[d] for d in FIELDS[key].shape),
            ),
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
            continue  # a key outside the contract is the caller's own
        field = FIELDS[key]
        if np.dtype(value.dtype) != np.dtype(field.dtype):
            raise ValueError(f"batch[{key!r}] is {value.dtype}; it must be {field.dtype}")
        wrong = field.rows == "B" and rows is not None and len(value) != rows
        if value.ndim != 1 + len(field.shape) or wrong:
            first = field.rows if rows is None or field.rows == "N" else f"B={rows}"
            shape = ", ".join([first, *map(str, field.shape)])
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
