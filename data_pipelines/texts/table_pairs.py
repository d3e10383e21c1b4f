# SPDX-License-Identifier: Apache-2.0
"""Sentence pairs in tables: MS-CXR-T's similarity set and ConVIRT's text queries."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from etils import epath

from medst_jax.data.records.annotations import SentencePair
from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableRow, need_table
from medst_jax.data_pipelines.raw import Reject
from medst_jax.data_pipelines.texts.source import TextSource

_SIMILARITY = {"paraphrase": "similar", "contradiction": "different"}


@dataclass(frozen=True)
class TablePairs(TextSource):
    """One table, all of it for testing."""

    config = "sentence_pairs"
    table: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]

    def files(self) -> Sequence[epath.Path]:
        return [need_table(self.source_dir, self.table)]

    def records(self) -> Iterator[tuple[str, SentencePair] | Reject]:
        pairs, rejects = CsvTable(self.files()[0]).need(*self.columns).parse(self.parse)
        yield from rejects
        for pair in pairs:
            yield "test", pair

    @abc.abstractmethod
    def parse(self, row: TableRow) -> SentencePair:
        """The pair of a row; raises CellError."""


@dataclass(frozen=True)
class MsCxrTSentences(TablePairs):
    """MS_CXR_T_temporal_sentence_similarity: sentence_1, sentence_2, category, subset_name.

    category is paraphrase ("similar") or contradiction ("different"); subset_name is RadGraph or
    swaps.
    """

    name: str = "ms_cxr_t_sentences"

    table = "MS_CXR_T_temporal_sentence_similarity_v1.0.0.csv"
    columns = ("sentence_1", "sentence_2", "category")
    about = About(
        description="MS-CXR-T: pairs of sentences that agree or differ in a change over time "
        "(Bannur et al., CVPR 2023)",
        licence="PhysioNet Credentialed Health Data License 1.5.0",
        evaluation_only=True,
    )

    def parse(self, row: TableRow) -> SentencePair:
        category = cells.one_of(row.get("category").lower(), tuple(_SIMILARITY), "category")
        return SentencePair(
            cells.needed(row.get("sentence_1"), "sentence_1"),
            cells.needed(row.get("sentence_2"), "sentence_2"),
            _SIMILARITY[category],
            row.get("subset_name"),
        )


@dataclass(frozen=True)
class TextQueries(TablePairs):
    """ConVIRT's 40 text queries: a description and the class that it is of.

    text_a is the query, text_b the class, as the label of `chexpert_8x200` names it; the query
    entails the class.
    """

    name: str = "chexpert_8x200_text_queries"

    table = "text-retrieval/query.csv"
    columns = ("Variable", "Text")
    about = About(
        description="ConVIRT's text queries for CheXpert 8x200 (Zhang et al., arXiv:2010.00747)",
        evaluation_only=True,
    )

    def parse(self, row: TableRow) -> SentencePair:
        text = cells.needed(row.get("Text"), "Text")
        variable = cells.needed(row.get("Variable"), "Variable")
        return SentencePair(text, variable, "entailment", "text query")
