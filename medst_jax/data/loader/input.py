# SPDX-License-Identifier: Apache-2.0
"""The training input: what a trainer sees of the data."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
from etils import epath

from medst_jax.command_line import user_command
from medst_jax.data.batch import FIELDS, batch_spec, keys_of
from medst_jax.data.loader.batch_maker import VIEWS, BatchMaker
from medst_jax.data.loader.epochs import PackedEpochs
from medst_jax.data.loader.image_reader import ImageReader
from medst_jax.data.loader.sampled_rows import ExampleSampler, PackSampler
from medst_jax.data.loader.stamp import STREAM_VERSION, config_hash
from medst_jax.data.loader.stream import check_rows, process_batches
from medst_jax.data.loader.text_reader import TextReader
from medst_jax.data.loader.unpaired_texts import UnpairedTexts
from medst_jax.data.mixture.data_options import DataOptions
from medst_jax.data.mixture.entities import mixture_entities
from medst_jax.data.mixture.exclusion import Exclusion, read_exclusion
from medst_jax.data.mixture.mixture import Corpus, mixture_labels, open_mixture
from medst_jax.data.mixture.requirements import NEEDS, check_shuffle, enlargement
from medst_jax.data.tokenize.text_tokenizer import TextTokenizer
from medst_jax.data.tokenize.tokenizer_files import find_tokenizer, load_tokenizer_file
from medst_jax.options import OptionError

Batch = dict[str, np.ndarray]
BASE_KEYS = keys_of(())
TEXT_KEYS = {key for key, need in NEEDS.items() if need in ("text", "text_labels", "sections")}


@dataclasses.dataclass
class TrainInput:
    """Batches of a mixture of data sets; made by `make_input`.

    labels: the union vocabulary, C classes in order of first appearance.
    spec: key -> global shape and dtype of a batch.
    examples: studies of one pass over every data set.
    entities, places: that are asked about; none where the batch has no such keys.
    """

    labels: tuple[str, ...]
    spec: dict[str, jax.ShapeDtypeStruct]
    examples: int
    options: DataOptions
    seed: int
    global_batch: int
    tokenizer: TextTokenizer | None
    corpora: tuple[Corpus, ...]
    exclusion: Exclusion
    entities: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    _iterators: list[Any] = dataclasses.field(default_factory=list, repr=False)

    def batches(self, start_step: int = 0, rows: np.ndarray | None = None) -> Iterator[Batch]:
        """Rows of the batches of `start_step`, `start_step + 1`, ... without end.

        Args:
          start_step: the first step.
          rows: int [n], which rows of each global batch, from `local_rows`; all by default.
        """
        options = self.options
        iterator = iter(
            process_batches(
                self._batch_maker(),
                self._sampler(),
                self.global_batch,
                np.arange(self.global_batch) if rows is None else rows,
                start_step,
                workers=options.num_workers,
                threads=options.threads,
            )
        )
        self._iterators.append(iterator)
        return iterator

    def _sampler(self) -> ExampleSampler | PackSampler:
        if "sequence_rows" in self.spec:
            return PackSampler(self.corpora, self.packed_epochs(), self.global_batch)
        return ExampleSampler(self.corpora, self.seed)

    def _batch_maker(self) -> BatchMaker:
        options, keys = self.options, tuple(self.spec)
        sections = [name for name in ("findings", "impression") if f"{name}_tokens" in keys]
        frontal, lateral = (
            ImageReader(self.corpora, is_lateral, options.size, options.fit, options.decode)
            for is_lateral in (False, True)
        )
        readers = {
            name: TextReader(
                self.corpora,
                self.labels,
                self.tokenizer,
                options.text_length,
                self.seed,
                name,
                whole_texts=options.no_finding == "whole_text",
            )
            for name in ("", *sections)
        }
        if "second_tokens" in keys:
            readers["second"] = readers[""].second()
        numbers = {corpus.name: corpus.number for corpus in self.corpora}
        return BatchMaker(
            corpora=self.corpora,
            keys=keys,
            tokenizer=self.tokenizer,
            size=options.size,
            length=options.text_length,
            seed=self.seed,
            images={
                view: lateral if view == "lateral" else frontal  # a prior is a frontal image too
                for view in VIEWS
                if view in keys
            },
            texts=readers,
            unpaired={
                corpus.number: UnpairedTexts(
                    corpus, self.corpora[numbers[corpus.options.texts_of]], self.seed
                )
                for corpus in self.corpora
                if corpus.options.texts_of
            },
        )

    def packed_epochs(self) -> tuple[PackedEpochs, ...]:
        """The packs of each data set; for inputs that hold sequences."""
        options = self.options
        return tuple(
            PackedEpochs(
                corpus,
                options.sequence_length,
                options.pack_rows,
                self.seed,
                options.shuffle,
                full=options.windows == "full",
            )
            for corpus in self.corpora
        )

    def stamp(self) -> dict[str, Any]:
        """What a checkpoint records of its input; plain JSON values, no ids and no text.

        Two runs with equal stamps see the same examples at the same steps. What earlier stamps
        lack is in `AddedToStamp`.
        """
        infos = {corpus.name: corpus.studies.info for corpus in self.corpora}
        return {
            "stream_version": STREAM_VERSION,
            "config_hash": config_hash(self.options, self.seed),
            "global_batch": self.global_batch,
            "fingerprints": {corpus.name: corpus.studies.fingerprint for corpus in self.corpora},
            "intensity": {name: info.get("intensity", "none") for name, info in infos.items()},
            "exclude": dict(self.exclusion.lists),
            "excluded_patients": sum(corpus.excluded_patients for corpus in self.corpora),
            "tokenizer": self.tokenizer.fingerprint if self.tokenizer else "",
            "labels": list(self.labels),
            **self._entity_stamp(),
        }

    def _entity_stamp(self) -> dict[str, Any]:
        """The records of entities, where they are read."""
        tables = {corpus.name: corpus.entities for corpus in self.corpora}
        fingerprints = {
            name: table.fingerprint for name, table in tables.items() if table is not None
        }
        return {"entities": fingerprints} if fingerprints else {}

    def describe(self) -> str:
        """Lines for people: data sets, their studies, what was dropped and why."""
        lines = [f"input: {corpus.describe()}" for corpus in self.corpora]
        dropped = sum(corpus.excluded_patients for corpus in self.corpora)
        lists = ", ".join(self.exclusion.lists) or "none"
        lines.append(f"input: {dropped} patients dropped by exclusion lists: {lists}")
        if "sequence_rows" in self.spec:
            for corpus, epochs in zip(self.corpora, self.packed_epochs(), strict=True):
                lines.append(f"input: {corpus.name}: {epochs.describe()}")
        infos = {corpus.studies.name: corpus.studies.info for corpus in self.corpora}
        if "frontal" in self.spec:
            for info in infos.values():
                warning = enlargement(info, self.options.size, self.options.data_dir)
                lines += [f"warning: {warning}"] if warning else []
        return "\n".join(lines)

    def close(self) -> None:
        """Stop the readers of every iterator made."""
        for iterator in self._iterators:
            if hasattr(iterator, "close"):
                iterator.close()
        self._iterators.clear()


def make_input(
    options: DataOptions,
    *,
    seed: int,
    global_batch: int,
    tokenizer: TextTokenizer | None,
    required_keys: Sequence[str] = BASE_KEYS,
) -> TrainInput:
    """Open the data of a run and check it against what the system needs.

    Args:
      options: the section `config.data`.
      seed: of all orders and draws, in [0, 2**32).
      global_batch: rows of a step over all processes.
      tokenizer: of the texts; None gives batches without text.
      required_keys: batch keys that the system reads (`System.required_keys`).

    Raises:
      MissingDataError: a data set is not prepared; the message holds the command for it.
      OptionError: the batch is empty or not whole packs, or the data cannot give a required key.
      ValueError: a required key that no input gives, such as a `truth_*` feature.
    """
    keys = keys_of(required_keys)
    check_shuffle(options.shuffle, keys)
    check_rows(
        np.arange(global_batch), global_batch, options.pack_rows if "sequence_rows" in keys else 0
    )
    # The key of a host generator has 32 bits for the seed.
    if not 0 <= seed < 2**32:
        raise OptionError(f"config.seed is {seed}; it must be in [0, 2**32)")
    wanted = [key for key in required_keys if key in FIELDS]
    if tokenizer is None and TEXT_KEYS & set(wanted):
        needed = next(key for key in wanted if key in TEXT_KEYS)
        raise OptionError(
            f"the system needs {needed!r} but there is no tokenizer; name one in "
            "config.data.vocabulary"
        )
    exclusion = read_exclusion(options.data_dir, options.exclude)
    corpora = open_mixture(options, wanted, exclusion, seed)
    labels = mixture_labels(options)
    entities, places = mixture_entities(options) if "entities" in keys else ((), ())
    train_input = TrainInput(
        labels=labels,
        spec=batch_spec(
            keys,
            global_batch,
            size=options.size,
            length=options.text_length,
            labels=len(labels),
            studies=options.sequence_length,
            entities=len(entities),
            places=len(places),
        ),
        examples=sum(len(corpus.rows) for corpus in corpora),
        options=options,
        seed=seed,
        global_batch=global_batch,
        tokenizer=tokenizer,
        corpora=corpora,
        exclusion=exclusion,
        entities=entities,
        places=places,
    )
    if jax.process_index() == 0:
        print(train_input.describe(), flush=True)
    return train_input


def load_tokenizer(options: DataOptions) -> TextTokenizer | None:
    """The tokenizer that `config.data.vocabulary` names, None if it names none.

    A name with a slash is the folder of an imported checkpoint, whose tokenizer is taken.

    Raises:
      FileNotFoundError: it has not been trained; the message holds the command for it.
    """
    if not options.vocabulary:
        return None
    if "/" in options.vocabulary:
        tokenizer = find_tokenizer(options.vocabulary, {})
        if tokenizer is None:
            raise FileNotFoundError(f"the folder {options.vocabulary} holds no tokenizer files")
        return tokenizer
    path = epath.Path(options.data_dir) / "vocabulary" / f"{options.vocabulary}.model"
    if not path.exists():
        names = {chosen.dataset or name: None for name, chosen in options.mixture.items()}
        datasets = ",".join(names)
        raise FileNotFoundError(
            f"vocabulary {options.vocabulary!r} is not in {path.parent}: make it with\n"
            f"  {user_command('prepare')} --vocabulary={options.vocabulary} --datasets={datasets} "
            f"--data_dir={options.data_dir}"
        )
    return load_tokenizer_file(path)
