# SPDX-License-Identifier: Apache-2.0
"""Abstracts of PubMed, from the files of its yearly baseline.

The folder holds `pubmed*.xml.gz` (or `.xml`), each some 30,000 citations. An abstract is its
AbstractText parts, with their labels as headers. Language is the citation's, or that of the
OtherAbstract. All of it is one split, train.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO
from xml.etree import ElementTree

from etils import epath

from medst_jax.data.records.annotations import Text
from medst_jax.data_pipelines.bounded_reading import TooLong
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.csv_table import TableError
from medst_jax.data_pipelines.raw import Reject
from medst_jax.data_pipelines.texts.source import TextSource
from medst_jax.data_pipelines.texts.stream import open_bytes

# MEDLINE writes three letters; records hold two where ISO 639-1 has them.
_LANGUAGES = {"eng": "en", "spa": "es", "ger": "de", "fre": "fr", "por": "pt", "ita": "it"}


@dataclass(frozen=True)
class PubMedAbstracts(TextSource):
    """Every citation with an abstract."""

    name: str = "pubmed_abstracts"

    config = "texts"
    about = About(
        description="PubMed abstracts, baseline files of the National Library of Medicine",
        licence="NLM terms and conditions; abstracts may be under copyright",
    )

    def files(self) -> Sequence[epath.Path]:
        root = epath.Path(self.source_dir)
        paths = [*root.glob("pubmed*.xml.gz"), *root.glob("pubmed*.xml")]
        if not paths:
            raise TableError(f"{root} has no pubmed*.xml.gz: download PubMed's baseline")
        return sorted(paths, key=str)

    def records(self) -> Iterator[tuple[str, Text] | Reject]:
        for path in self.files():
            with open_bytes(path) as stream:
                for text in abstracts(stream):
                    yield text if isinstance(text, Reject) else ("train", text)


def abstracts(stream: IO[bytes]) -> Iterator[Text | Reject]:
    """The abstracts of one file, read piece by piece; a damaged rest is one reject."""
    try:
        for _, element in ElementTree.iterparse(stream, events=("end",)):
            if element.tag != "MedlineCitation":
                continue
            text = _abstract(element)
            if text:
                language = element.findtext("Article/Language") or "eng"
                yield Text(text, _LANGUAGES.get(language, language))
            element.clear()
    except (ElementTree.ParseError, OSError, EOFError, zlib.error, TooLong):
        yield Reject(0, "file is damaged, the rest of it is not read")


def _abstract(citation: ElementTree.Element) -> str:
    parts = []
    for part in citation.iterfind("Article/Abstract/AbstractText"):
        text = " ".join("".join(part.itertext()).split())
        label = (part.get("Label") or "").strip()
        if text:
            parts.append(f"{label}: {text}" if label else text)
    return "\n".join(parts)
