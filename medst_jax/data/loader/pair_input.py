# SPDX-License-Identifier: Apache-2.0
"""The training input of text alone that comes in pairs: names and definitions, facts, synonyms.

All pairs are tokenised once and kept. A step's examples follow from its number and the seed, as
those of studies do.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from medst_jax.data.batch import GROUPS, batch_spec
from medst_jax.data.loader.stamp import STREAM_VERSION, config_hash
from medst_jax.data.mixture.data_options import DataOptions
from medst_jax.data.randomness import generator, rotation
from medst_jax.data.records.annotations import TextPair, open_annotations
from medst_jax.data.tokenize.text_tokenizer import TextTokenizer
from medst_jax.options import OptionError

_PAIR_KEYS = next(group for group in GROUPS if "pair_tokens" in group)
_KEYS = ("tokens", "token_mask", "example", *_PAIR_KEYS)
_NAMES = "synonym"  # the kind of pair that the control leaves as it is


@dataclasses.dataclass
class PairInput:
    """Batches of pairs of texts; made by `make_pair_input`. It has what `TrainInput` has.

    rows: batch keys but `example` of all pairs, [n, ...]. fingerprints: of the data sets.
    """

    spec: dict[str, jax.ShapeDtypeStruct]
    options: DataOptions
    seed: int
    global_batch: int
    tokenizer: TextTokenizer
    rows: dict[str, np.ndarray]
    fingerprints: dict[str, str]
    labels: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    places: tuple[str, ...] = ()

    @property
    def examples(self) -> int:
        """Pairs of one pass over all."""
        return len(self.rows["concept"])

    def batches(
        self, start_step: int = 0, rows: np.ndarray | None = None
    ) -> Iterator[dict[str, np.ndarray]]:
        """As `TrainInput.batches`."""
        own = np.arange(self.global_batch) if rows is None else rows
        step = start_step
        while True:
            yield self._batch(step * self.global_batch + own.astype(np.int64))
            step += 1

    def _batch(self, positions: np.ndarray) -> dict[str, np.ndarray]:
        epochs, places = np.divmod(positions, self.examples)
        chosen = np.empty(len(positions), np.int64)
        for epoch in np.unique(epochs).tolist():
            order = generator(self.seed, "pairs of texts", epoch).permutation(self.examples)
            here = epochs == epoch
            chosen[here] = order[places[here]]
        batch = {key: values[chosen] for key, values in self.rows.items()}
        return {**batch, "example": positions.astype(np.int32)}

    def stamp(self) -> dict[str, Any]:
        """As `TrainInput.stamp`."""
        return {
            "stream_version": STREAM_VERSION,
            "config_hash": config_hash(self.options, self.seed),
            "global_batch": self.global_batch,
            "fingerprints": self.fingerprints,
            "intensity": {},
            "exclude": {},
            "excluded_patients": 0,
            "tokenizer": self.tokenizer.fingerprint,
            "labels": [],
        }

    def close(self) -> None:
        """Nothing is open."""


def make_pair_input(
    options: DataOptions, *, seed: int, global_batch: int, tokenizer: TextTokenizer | None
) -> PairInput:
    """Read the pairs of a mixture, each as likely as another.

    Raises:
      MissingDataError: a data set is not prepared; the message holds the command for it.
      OptionError: there is no tokenizer, or a data set is to weigh more than another.
    """
    if tokenizer is None:
        raise OptionError(
            "the system reads pairs of texts but there is no tokenizer; name one in "
            "config.data.vocabulary"
        )
    pairs: list[TextPair] = []
    fingerprints = {}
    for name, chosen in options.mixture.items():
        if chosen.weight != 1.0:
            raise OptionError(
                f"config.data.mixture.{name}.weight is {chosen.weight}; pairs of texts are drawn "
                "in proportion to their numbers: leave it at 1"
            )
        annotated = open_annotations(
            options.data_dir, chosen.dataset or name, TextPair, chosen.split
        )
        fingerprints[name] = annotated.fingerprint
        pairs += list(annotated)
    if options.shuffle == "definitions":
        pairs = with_definitions_of_others(pairs, seed)
    numbers = {c: k for k, c in enumerate(sorted({pair.concept for pair in pairs} - {""}))}
    tokens, mask = tokenizer.encode_batch([p.text_a for p in pairs], options.text_length)
    others, other_mask = tokenizer.encode_batch([p.text_b for p in pairs], options.text_length)
    source = PairInput(
        spec=batch_spec(_KEYS, global_batch, size=0, length=options.text_length, labels=0),
        options=options,
        seed=seed,
        global_batch=global_batch,
        tokenizer=tokenizer,
        rows={
            "tokens": tokens,
            "token_mask": mask,
            "pair_tokens": others,
            "pair_mask": other_mask,
            "concept": np.array([numbers.get(p.concept, -1) for p in pairs], np.int32),
        },
        fingerprints=fingerprints,
    )
    if jax.process_index() == 0:
        print(f"input: {len(pairs)} pairs of texts about {len(numbers)} concepts", flush=True)
    return source


def with_definitions_of_others(pairs: Sequence[TextPair], seed: int) -> list[TextPair]:
    """The same pairs but for synonyms, with the second texts of another concept, kind by kind."""
    concepts = sorted({pair.concept for pair in pairs})
    if len(concepts) < 2:
        raise OptionError("config.data.shuffle is 'definitions'; there is only one concept")
    other = dict(
        zip(
            concepts,
            (concepts[k] for k in rotation(len(concepts), seed, "definitions")),
            strict=True,
        )
    )
    texts: dict[tuple[str, str], list[str]] = {}
    for pair in pairs:
        texts.setdefault((pair.concept, pair.kind), []).append(pair.text_b)
    moved = []
    for pair in pairs:
        theirs = texts.get((other[pair.concept], pair.kind), [])
        if pair.kind != _NAMES and theirs:
            own = texts[pair.concept, pair.kind].index(pair.text_b)
            pair = dataclasses.replace(pair, text_b=theirs[own % len(theirs)])
        moved.append(pair)
    return moved
