# SPDX-License-Identifier: Apache-2.0
"""The texts of the entities and places that a system asks about, as its options hold them."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from medst_jax.data.tokenize.text_tokenizer import TextTokenizer
from medst_jax.options import OptionError
from medst_jax.text.descriptions import describe_entity, describe_place
from medst_jax.text.places import ENTITIES, PLACES


def query_values(
    options: type,
    chosen: Mapping[str, Any],
    entities: Sequence[str],
    places: Sequence[str],
    tokenizer: TextTokenizer | None,
) -> dict[str, Any]:
    """The options of a system of queries that the data and its tokenizer decide; none of others.

    Args:
      options: class of the system's options.
      chosen: those of the configuration.
      entities, places: of the data.
      tokenizer: of the texts.

    Raises:
      OptionError: there is no tokenizer.
    """
    fields = _query_fields(options)
    if not fields:
        return {}
    if tokenizer is None:
        raise OptionError(
            "the system asks about texts but there is no tokenizer; name one in "
            "config.data.vocabulary"
        )
    length = int(chosen.get("text_length", fields["text_length"]))
    by_name = chosen.get("query_text", fields["query_text"]) == "name"
    described = list(entities) if by_name else [describe_entity(name) for name in entities]

    def tokens(texts: Sequence[str]) -> list[list[int]]:
        ids, mask = tokenizer.encode_batch(texts, length)
        return [row[kept].tolist() for row, kept in zip(ids, mask, strict=True)]

    return {
        "entities": list(entities),
        "places": list(places),
        "entity_tokens": tokens(described),
        "place_tokens": tokens([describe_place(name) for name in places]),
    }


def assumed_values(options: type) -> dict[str, Any]:
    """The same where there are no data: all entities and places, each a text of full length."""
    fields = _query_fields(options)
    if not fields:
        return {}
    text = [1] * fields["text_length"]
    return {
        "entities": list(ENTITIES),
        "places": list(PLACES),
        "entity_tokens": [text] * len(ENTITIES),
        "place_tokens": [text] * len(PLACES),
    }


def _query_fields(options: type) -> dict[str, Any]:
    """Defaults of the options' fields; none where it has no lists of texts."""
    defaults = {field.name: field.default for field in dataclasses.fields(options)}
    return defaults if "entity_tokens" in defaults else {}
