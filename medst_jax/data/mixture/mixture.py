# SPDX-License-Identifier: Apache-2.0
"""The data sets of a mixture, resolved: which rows, which labels, whose text."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medst_jax.data.mixture.data_options import DataOptions, DataSetOptions
from medst_jax.data.mixture.entities import EntityTable, mixture_entities, read_entities
from medst_jax.data.mixture.exclusion import Exclusion
from medst_jax.data.mixture.labels import to_union, union_columns, union_labels
from medst_jax.data.mixture.policy import PolicyTable, check_classes, policy_table
from medst_jax.data.mixture.requirements import check_requirements, select_studies
from medst_jax.data.randomness import generator, rotation
from medst_jax.data.records.index import Index
from medst_jax.data.records.studies import Studies, open_studies, read_info
from medst_jax.data.records.timeline import patient_counts, prior_rows


@dataclass(frozen=True)
class Corpus:
    """One data set of the mixture. Row numbers are those of `studies`.

    name: of the entry of the mixture. number: its place there.
    rows: int64 [n], the studies that are drawn.
    text_rows, label_rows: int64 [n], whose text and whose labels each gets; `rows` but in
      controls.
    prior_rows: int64 [n], whose frontal image is each one's prior, -1 for none.
    columns: int32 [C], place of each class of the union in the data set's labels, -1 for none.
    first_patient, first_study: offsets that make ids unique over the mixture.
    excluded_patients: dropped because evaluation has them.
    without_frontal: studies dropped because a frontal image is needed.
    entities: of the reports, where a system asks about them.
    """

    name: str
    number: int
    options: DataSetOptions
    studies: Studies
    rows: np.ndarray
    text_rows: np.ndarray
    label_rows: np.ndarray
    prior_rows: np.ndarray
    columns: np.ndarray
    policy: PolicyTable
    first_patient: int
    first_study: int
    excluded_patients: int
    without_frontal: int
    entities: EntityTable | None = None

    def codes(self, rows: np.ndarray | int) -> np.ndarray:
        """Label codes int8 [..., C] of studies, in the union."""
        return to_union(self.studies.index.labels[rows, : len(self.studies.labels)], self.columns)

    def describe(self) -> str:
        """One line for people: what is used and what was dropped. No ids, no text."""
        return (
            f"{self.name}/{self.options.split}: {len(self.rows)} studies; dropped "
            f"{self.excluded_patients} patients of evaluation sets, "
            f"{self.without_frontal} studies without a frontal image"
        )


def mixture_labels(options: DataOptions) -> tuple[str, ...]:
    """The union vocabulary of a mixture, without opening its records.

    Raises:
      MissingDataError: a data set is not prepared; the message holds the command for it.
    """
    names = [chosen.dataset or name for name, chosen in options.mixture.items()]
    label_sets = [read_info(options.data_dir, name)["labels"] for name in names]
    return union_labels(label_sets, options.drop_labels)


def open_mixture(
    options: DataOptions, required: Sequence[str], exclusion: Exclusion, seed: int
) -> tuple[Corpus, ...]:
    """Open the data sets of a mixture and check that they give what a system needs.

    Args:
      options: the training input.
      required: batch keys that the system reads.
      exclusion: patients to leave out.
      seed: of the permutations that controls use.

    Raises:
      MissingDataError: a data set is not prepared.
      OptionError: a data set lacks what `required` needs, has no study left, or a class of the
        mixture has no negative.
    """
    union = mixture_labels(options)
    asked = mixture_entities(options) if "entities" in required else ((), ())
    corpora: list[Corpus] = []
    opened: dict[tuple[str, str], tuple[Studies, int, int]] = {}
    next_patient = next_study = 0
    for number, (name, chosen) in enumerate(options.mixture.items()):
        source = chosen.dataset or name, chosen.split
        if source not in opened:
            studies = open_studies(options.data_dir, *source)
            opened[source] = studies, next_patient, next_study
            next_patient += int(studies.index.patient.max()) + 1
            next_study += len(studies)
        # Entries that share a data set share its ids: a study is no negative of itself.
        studies, first_patient, first_study = opened[source]
        index = studies.index
        excluded = exclusion.contains(index, name)
        # A system that reads no image can use studies that have none.
        imageless = ~index.has_frontal & ("frontal" in required)
        rows = np.flatnonzero(~excluded & ~imageless & select_studies(name, chosen, index))
        # At start-up, not at the first batch that lacks the key, hours into a run.
        check_requirements(name, chosen, studies, rows, required)
        table = None
        if "entities" in required:
            table = read_entities(studies, *asked)
            if options.shuffle == "places":
                table = table.with_places_of_others(rows, seed, name)
        corpora.append(
            Corpus(
                name=name,
                number=number,
                options=chosen,
                studies=studies,
                rows=rows,
                text_rows=_text_rows(rows, index.patient, options.shuffle, seed, name),
                label_rows=_shuffled(
                    rows, options.shuffle in ("labels", "both"), seed, f"labels {name}"
                ),
                prior_rows=_priors(rows, index, options.shuffle, seed, name),
                columns=union_columns(studies.labels, union),
                policy=policy_table(
                    union,
                    preset=chosen.policy,
                    blank=chosen.blank,
                    uncertain=chosen.uncertain,
                    where=f"config.data.mixture.{name}",
                ),
                first_patient=first_patient,
                first_study=first_study,
                excluded_patients=len(np.unique(index.patient_key[excluded])),
                without_frontal=int(np.sum(imageless & ~excluded)),
                entities=table,
            )
        )
    if set(required) & {"labels", "text_labels"}:
        _check_classes(union, corpora)
    return tuple(corpora)


def _text_rows(
    rows: np.ndarray, patient: np.ndarray, shuffle: str, seed: int, name: str
) -> np.ndarray:
    if shuffle != "within_patient":
        return _shuffled(rows, shuffle in ("pairs", "both"), seed, f"pairs {name}")
    # A patient's studies are neighbours; with one study there is nothing to permute.
    moved = rows.copy()
    ends = np.cumsum(patient_counts(patient[rows]))
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        if end - start > 1:
            order = rotation(end - start, seed, f"within {name} {start}")
            moved[start:end] = rows[start:end][order]
    return moved


def _priors(rows: np.ndarray, index: Index, shuffle: str, seed: int, name: str) -> np.ndarray:
    priors = prior_rows(index.patient, index.has_frontal)[rows]
    if shuffle == "prior":
        with_prior = np.flatnonzero(priors >= 0)
        patients = index.patient[rows[with_prior]]
        # By patient, half the list away: no study gets a prior of its own patient unless one
        # patient holds most of the data set.
        rng = generator(seed, f"prior {name}")
        order = with_prior[np.lexsort([rng.random(len(with_prior)), patients])]
        priors[order] = np.roll(priors[order], len(order) // 2)
    return priors


def _shuffled(rows: np.ndarray, shuffles: bool, seed: int, purpose: str) -> np.ndarray:
    return rows[rotation(len(rows), seed, purpose)] if shuffles else rows


def _check_classes(union: Sequence[str], corpora: Sequence[Corpus]) -> None:
    positives = np.zeros(len(union), np.int64)
    negatives = np.zeros(len(union), np.int64)
    for corpus in corpora:
        labels, mask = corpus.policy.apply(corpus.codes(corpus.rows))
        positives += np.sum(mask & (labels > 0), axis=0)
        negatives += np.sum(mask & (labels == 0), axis=0)
    check_classes(union, positives, negatives)
