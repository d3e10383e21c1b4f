# SPDX-License-Identifier: Apache-2.0
"""Options of the training input, as `config.data` holds them."""

import dataclasses
from typing import Literal

from medst_jax.data.images import Decode, Fit
from medst_jax.data.mixture.policy import Treatment
from medst_jax.options import OptionError, before
from medst_jax.text.prompts import BankName

# Each breaks one relation in the data and leaves all others: what a system loses by it, it had from
# that relation.
Shuffle = Literal[
    "none",
    "pairs",
    "labels",
    "both",
    "within_patient",
    "prior",
    "windows",
    "order",
    "places",
    "definitions",
]
# Sections of a report that describe the images.
DESCRIBING = ("findings", "impression", "findings and impression", "conclusion")


@dataclasses.dataclass(frozen=True)
class DataSetOptions:
    """One entry of the mixture.

    dataset: the prepared data set; "" is the entry's own name. Two entries may share one.
    split: which of its splits.
    only: of "severity", "text", "lateral": use the studies that have all of these.
    weight: its share of the stream, relative to the other weights; kept to about 1%.
    policy: a preset of `policy.PRESETS`; `blank` and `uncertain` replace its parts.
    blank, uncertain: what such labels count as, for all classes or per class ("*": the rest).
    text: "report" draws from the report and falls back to a prompt for studies without one;
      "prompt" always makes a prompt of a positive class; "unpaired" draws from a report of another
      data set's, of a study that has one of the study's positive classes, a sentence that affirms it
      (MedCLIP, arXiv:2210.10163); "none" gives no text; "entities" lists the findings
      that the report mentions, each with its certainty, for systems that read `entities`.
    texts_of: the entry of the mixture that "unpaired" texts are of.
    prompts: "names" puts the name of a positive class into a template; a prompt bank, such as
      "cxr_clip", says in its own sentences what the study's labels affirm, deny and doubt, and
      nothing of classes it lacks.
    sections: of a report, names of those to draw from, such as ("impression",); of a report that has none
      of them, and with none named, FINDINGS and IMPRESSION.
    order: of the sections in a text: "report", as there; or "sections", as named.
    cleaning: "none"; or "words", of reports: lower case, without numbers, stops and other marks.
    sentences: of a report or a bank, "one" drawn at random, "all" in their order, or "shuffled": all, those
      of a section in a random order.
    lacks: of "text", "labels", "text_labels", "lateral", "prior", "sequences", "sections",
      "severity", "entities": what a system needs and this data set is known not to give; its rows are masked
      there.
    """

    dataset: str = ""
    split: str = "train"
    only: tuple[str, ...] = ()
    weight: float = 1.0
    policy: str = "default"
    blank: Treatment | None = None
    uncertain: Treatment | None = None
    text: Literal["report", "prompt", "unpaired", "none", "entities"] = "report"
    texts_of: str = dataclasses.field(default="", metadata=before(""))
    prompts: Literal["names", BankName] = "names"
    sections: tuple[str, ...] = ()
    order: Literal["report", "sections"] = dataclasses.field(
        default="report", metadata=before("report")
    )
    cleaning: Literal["none", "words"] = dataclasses.field(default="none", metadata=before("none"))
    sentences: Literal["one", "all", "shuffled"] = "one"
    lacks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = [name for name in self.sections if name not in DESCRIBING]
        if unknown:
            raise OptionError(
                f"config.data.mixture: sections has {unknown[0]!r}; known: {', '.join(DESCRIBING)}"
            )
        if self.order == "sections" and not self.sections:
            raise OptionError(
                'config.data.mixture: order is "sections", which is of the sections named, and '
                "sections names none"
            )
        if (self.text == "unpaired") != bool(self.texts_of):
            raise OptionError(
                f"config.data.mixture: text is {self.text!r} and texts_of {self.texts_of!r}; "
                '"unpaired" texts need the name of an entry that has reports, others none'
            )


@dataclasses.dataclass(frozen=True)
class DataOptions:
    """The training input.

    mixture: data sets by name; their order is that of the union vocabulary.
    data_dir: the folder given to `prepare.py`.
    size: side S of the batch's square images, pixels.
    text_length: tokens L of a text, special ones included.
    vocabulary: name of the tokenizer, `data_dir/vocabulary/<name>.model`, or the folder of an
      imported checkpoint (with a slash) that has one; "" for none.
    fit: how an image becomes a square, "pad" or "crop".
    decode: of JPEGs that are larger than the batch's squares: "scaled" lets the decoder shrink them most of
      the way, "full" decodes every pixel first, see `pixels.read_square`.
    shuffle: broken controls: "pairs" gives every image the text of another study, "labels" the
      labels of another study of its data set, "both" both; "within_patient" permutes the texts
      of each patient, "prior" gives the prior of another patient, "windows" fills the sequences
      with studies of different patients, "order" shuffles the studies of each sequence; "places"
      gives each entity of a study the places that it has in another one, "definitions" gives the
      texts of a concept the second texts of another.
    no_finding: whether a text of several sentences says "No Finding": "whole_text", where none of them
      affirms or doubts anything; "any_sentence", where one says so, the rule of before.
    sequence_length: T, studies of the longest sequence; longer histories are cut into windows.
    windows: "even", of nearly equal size; or "full", of T studies from the first on, and what is left
      of a patient stands alone (Med-ST, arXiv:2405.19654).
    pack_rows: R, rows of a pack of sequences; divides each process' part of the batch.
    exclude: data sets whose evaluation patients are left out; "all" is every `exclude.json`
      under `data_dir`.
    drop_labels: classes left out of the union vocabulary.
    entities: findings that a system asks images about, in this order; () for all that the data have.
    num_workers: worker processes; 0 reads in threads of this process.
    threads: reader threads of each process.
    """

    mixture: dict[str, DataSetOptions]
    data_dir: str = "data"
    size: int = 224
    text_length: int = 77
    vocabulary: str = ""
    fit: Fit = "pad"
    decode: Decode = dataclasses.field(default="scaled", metadata=before("full"))
    shuffle: Shuffle = "none"
    no_finding: Literal["whole_text", "any_sentence"] = dataclasses.field(
        default="whole_text", metadata=before("whole_text")
    )
    sequence_length: int = 4
    windows: Literal["even", "full"] = dataclasses.field(default="even", metadata=before("even"))
    pack_rows: int = 8
    exclude: Literal["all"] | tuple[str, ...] = "all"
    drop_labels: tuple[str, ...] = ()
    num_workers: int = 0
    threads: int = 4
    entities: tuple[str, ...] = dataclasses.field(default=(), metadata=before(()))

    @property
    def cleans_reports(self) -> bool:
        """Whether all reports are read as words alone: then so are the texts of an evaluation."""
        read = {entry.cleaning for entry in self.mixture.values() if entry.text == "report"}
        return read == {"words"}

    def __post_init__(self) -> None:
        if not self.mixture:
            raise OptionError("config.data.mixture is empty; name at least one data set")
        for name, options in self.mixture.items():
            if not options.weight > 0:
                raise OptionError(
                    f"config.data.mixture.{name}.weight is {options.weight}; it must be positive "
                    "(remove the data set to leave it out)"
                )
            theirs = self.mixture.get(options.texts_of)
            if options.texts_of and (theirs is None or theirs.text != "report"):
                raise OptionError(
                    f"config.data.mixture.{name}.texts_of is {options.texts_of!r}; it must be an "
                    'entry of the mixture with text="report"'
                )
        limits = {
            "size": 8,
            "text_length": 3,  # first and last token, and one between them
            "num_workers": 0,
            "threads": 0,
            "sequence_length": 2,  # one study is no sequence
            "pack_rows": 2,
        }
        for field, least in limits.items():
            if getattr(self, field) < least:
                raise OptionError(
                    f"config.data.{field} is {getattr(self, field)}; it must be at least {least}"
                )
        # A pack has a place for a sequence for every two rows.
        if self.pack_rows % 2:
            raise OptionError(f"config.data.pack_rows is {self.pack_rows}; it must be even")
