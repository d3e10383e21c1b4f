# SPDX-License-Identifier: Apache-2.0
"""On which public chest X-ray sets the known encoders were trained, and what that means for a test set.

An encoder of another project has no stamp: what it saw is known from its paper or not at all. Splits
that the source does not name are "unknown"; nothing is taken to be clean because nobody says so.
"""

import dataclasses
import re
from collections.abc import Mapping

from medst_jax.data.records.joined import ALL
from medst_jax.data_pipelines.overlaps import read_overlaps
from medst_jax.evaluate.statistics.rows import Exposure

UNKNOWN = "unknown"
# Names of files that say nothing of the encoder in them.
_GENERIC = re.compile(r"(open_clip_|pytorch_)?(model|weights)\.\w+|image|text")


@dataclasses.dataclass(frozen=True)
class Training:
    """What an encoder was trained on.

    Attributes:
      sets: data set to the split that was read, "all", or "unknown"; None where the sets
        themselves are not known.
      source: where that is said.
    """

    sets: Mapping[str, str] | None
    source: str


_PRIVATE = "a private collection from the web"
# Premises of MedNLI are sentences of MIMIC-III's notes, which come from the hospital of MIMIC-CXR.
_MIMIC_III = {"mednli": ALL, "mimic_cxr_jpg": UNKNOWN}
# By a word of a folder's or repository's name, most special first.
KNOWN: dict[str, Training] = {
    "medsiglip": Training(None, "its card names MIMIC-CXR and private sets, and no splits of most"),
    "xraysiglip": Training(None, "CheXagent's CheXinstruct (arXiv:2401.12208), dozens of sets"),
    "xrayclip": Training(None, "CheXagent's CheXinstruct (arXiv:2401.12208), dozens of sets"),
    "rad-dino-maira": Training(None, "its card names a larger collection than RAD-DINO's"),
    "rad-dino": Training(
        {
            "mimic_cxr_jpg": UNKNOWN,
            "chexpert": UNKNOWN,
            "nih_chestxray14": UNKNOWN,
            "padchest": UNKNOWN,
            "brax": UNKNOWN,
        },
        "arXiv:2401.10815",
    ),
    "biomedclip": Training(None, "figures of PubMed Central, PMC-15M (arXiv:2303.00915)"),
    "pubmedclip": Training(None, "figures of PubMed Central, ROCO (its card)"),
    "medclip": Training({"mimic_cxr_jpg": UNKNOWN, "chexpert": UNKNOWN}, "arXiv:2210.10163"),
    "chexzero": Training({"mimic_cxr_jpg": UNKNOWN}, "Tiu et al. 2022"),
    "cxr-clip": Training(
        None, "depends on the release: MIMIC-CXR, with CheXpert, with ChestX-ray14"
    ),
    "cxr-bert": Training({"mednli": ALL, "mimic_cxr_jpg": "train"}, "arXiv:2204.09817"),
    "biovil": Training({"mimic_cxr_jpg": "train"}, "arXiv:2204.09817, arXiv:2301.04558"),
    "gloria": Training({"chexpert": UNKNOWN}, "Huang et al. 2021"),
    "mgca": Training({"mimic_cxr_jpg": UNKNOWN}, "arXiv:2210.06044"),
    "medst": Training({"mimic_cxr_jpg": UNKNOWN}, "arXiv:2405.19654"),
    "mrm": Training({"mimic_cxr_jpg": UNKNOWN}, "arXiv:2301.13155"),
    "ark": Training(
        {
            "chexpert": UNKNOWN,
            "nih_chestxray14": UNKNOWN,
            "rsna_pneumonia": UNKNOWN,
            "vindr_cxr": UNKNOWN,
            "mimic_cxr_jpg": UNKNOWN,
        },
        "arXiv:2310.09507",
    ),
    "clinicalbert": Training(_MIMIC_III, "all notes of MIMIC-III (Alsentzer et al. 2019)"),
    "clinical-bert": Training(_MIMIC_III, "all notes of MIMIC-III (Alsentzer et al. 2019)"),
    "scibert": Training({}, "scientific papers (Beltagy et al. 2019)"),
    "imagenet": Training({}, "photographs of ImageNet"),
    "dinov3": Training(None, _PRIVATE),
    "dinov2": Training(None, _PRIVATE + " (LVD-142M, arXiv:2304.07193)"),
    "siglip": Training(None, _PRIVATE + " (WebLI)"),
    "clip": Training(None, _PRIVATE),
}


def training_of(name: str, told: str = "") -> Training:
    """What is known of an encoder.

    Args:
      name: of its folder or repository; the folder's of a file that is called as all are.
      told: what a user says: "none", a name of the table, or data sets such as
        "chexpert:train,padchest" (without a split: unknown). Goes before the table.

    Raises:
      ValueError: an empty name of a data set.
    """
    if told == "none":
        return Training({}, "the user")
    if told in KNOWN:
        return KNOWN[told]
    if told:
        pairs = [part.partition(":") for part in told.split(",")]
        if not all(dataset.strip() for dataset, _, _ in pairs):
            raise ValueError(f"--trained_on is {told!r}; write DATASET:SPLIT,DATASET:SPLIT or none")
        sets = {dataset.strip(): split.strip() or UNKNOWN for dataset, _, split in pairs}
        return Training(sets, "the user")
    match = next((key for key in KNOWN if _named(name, key)), None)
    return KNOWN[match] if match else Training(None, "nothing is known of this encoder")


def _named(path: str, key: str) -> bool:
    """Whether a known encoder's name is a word of the last folder's: "ark" is none of "benchmark"."""
    parts = [part for part in path.split("/") if part]
    while len(parts) > 1 and _GENERIC.fullmatch(parts[-1]):
        parts.pop()
    last = parts[-1].lower().replace("_", "-") if parts else ""
    return re.search(rf"(?<![a-z]){re.escape(key)}(?![a-z])", last) is not None


def exposure(training: Training, dataset: str, split: str) -> Exposure:
    """Whether an encoder has seen an evaluation split, as far as is known.

    A data set that shares images with one of the training is unknown, unless all of it lies in
    one that was read as a whole.
    """
    if training.sets is None:
        return "unknown"
    result: Exposure = "clean"
    wholes, family = _related(dataset)
    for name, read in training.sets.items():
        if name == dataset:
            seen: Exposure = "contaminated" if read in (split, ALL) or split == ALL else "clean"
            seen = "unknown" if read == UNKNOWN else seen
        elif name in family:
            seen = "contaminated" if read == ALL and name in wholes else "unknown"
        else:
            continue
        if seen == "contaminated":
            return seen
        result = seen if result == "clean" else result
    return result


def _related(dataset: str) -> tuple[set[str], set[str]]:
    """Data sets that hold all of this one, and all that share images with it by any way."""
    rows = read_overlaps()
    wholes, family = {dataset}, {dataset}
    while True:
        more = {row.whole for row in rows if row.part in wholes and row.extent == ALL}
        kin = {row.whole for row in rows if row.part in family}
        kin |= {row.part for row in rows if row.whole in family}
        if more <= wholes and kin <= family:
            return wholes, family
        wholes, family = wholes | more, family | kin
