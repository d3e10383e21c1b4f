# SPDX-License-Identifier: Apache-2.0
"""Judges `label_findings` on real reports against their indexers' tags, beside two baselines.

`python benchmarks/label_findings.py [--shared=../shared] [--half=tuning|held_out] [--json]`.
Tags are not a gold standard of the text (indexers leave out what they think trivial), so the
figures compare labelers and are no accuracy. Baselines use the same mention lists: `keyword`
affirms every mention; `negex` drops those within six words behind a negation.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from absl import app, flags

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.open_i import ARCHIVE, TaggedReport, read_reports
from medst_jax.text import label_findings, split_sections, split_sentences
from medst_jax.text.mentions import FINDINGS, MENTIONS, OTHERS, WEAK_MENTIONS
from medst_jax.text.words import SILENT_SECTIONS

SHARED = flags.DEFINE_string("shared", "../shared", "folder with data/iu_reports_text")
HALF = flags.DEFINE_enum("half", "tuning", ["tuning", "held_out"], "which reports, by id hash")
JSON = flags.DEFINE_bool("json", False, "print one JSON object")

NEGATIONS = re.compile(
    r"\b(?:no|not|without|absent|negative for|free of|clear of|denies|rule out|resolved)\b"
    r"(?:\W+\w+){0,6}\W*$"
)
Labeler = Callable[[str], Mapping[str, int]]


def _expression(phrases: tuple[str, ...]) -> re.Pattern[str]:
    variants = (re.escape(p).replace(r"\*", r"\w*").replace(r"\ ", r"\W+") for p in phrases)
    return re.compile(rf"\b(?:{'|'.join(variants)})\b")


_KEYWORDS = {
    name: _expression(phrases + WEAK_MENTIONS.get(name, ())) for name, phrases in MENTIONS.items()
}
_KEYWORDS[""] = _expression(OTHERS)


def spot(report: str, negation: re.Pattern[str] | None) -> dict[str, int]:
    """The baselines: every mention, or every mention not behind a negation, is positive."""
    found = set()
    for section, text in split_sections(report.lower()):
        if section in SILENT_SECTIONS:
            continue
        for start, end in split_sentences(text):
            sentence = text[start:end]
            for name, expression in _KEYWORDS.items():
                for match in expression.finditer(sentence):
                    if negation is None or not negation.search(sentence[: match.start()]):
                        found.add(name)
    labels = dict.fromkeys(found - {""}, 1)
    return labels if found - {"Support Devices"} else {"No Finding": 1, **labels}


def scores(reports: list[TaggedReport], label: Labeler) -> dict[str, dict[str, float]]:
    """Per finding precision, recall and F1; positive and uncertain labels count as present."""
    labels = [label(report.text) for report in reports]
    result = {}
    for name in FINDINGS:
        said = [codes.get(name, 0) != 0 for codes in labels]
        tagged = [name in report.findings for report in reports]
        both = sum(a and b for a, b in zip(said, tagged, strict=True))
        precision, recall = both / max(sum(said), 1), both / max(sum(tagged), 1)
        f1 = 2 * both / max(sum(said) + sum(tagged), 1)
        values = {"precision": precision, "recall": recall, "f1": f1}
        result[name] = {key: round(value, 3) for key, value in values.items()}
        result[name]["tagged"] = sum(tagged)
    return result


def main(argv: list[str]) -> None:
    """Prints the table of one half."""
    del argv
    shared = Path(SHARED.value)
    if not (shared / ARCHIVE).exists():
        raise app.UsageError(f"--shared={shared} has no {ARCHIVE}")
    reports = [r for r in read_reports(shared) if r.held_out == (HALF.value == "held_out")]
    labelers: dict[str, Labeler] = {
        "label_findings": label_findings,
        "negex": lambda text: spot(text, NEGATIONS),
        "keyword": lambda text: spot(text, None),
    }
    result = {name: scores(reports, labeler) for name, labeler in labelers.items()}
    macro = {
        name: round(sum(row["f1"] for row in table.values()) / len(table), 3)
        for name, table in result.items()
    }
    texts = [report.text for report in reports]
    start = time.process_time()
    for text in texts:
        label_findings(text)
    speed = round(len(texts) / (time.process_time() - start))
    if JSON.value:
        print(
            json.dumps(
                {
                    "half": HALF.value,
                    "reports": len(reports),
                    "macro_f1": macro,
                    "reports_per_second_core": speed,
                    "findings": result,
                }
            )
        )
        return
    print(f"{HALF.value}: {len(reports)} reports; {speed} reports per second and core")
    print("macro F1:", ", ".join(f"{name} {value}" for name, value in macro.items()))
    for name in FINDINGS:
        row = "  ".join(
            f"{t[name]['precision']:.2f}/{t[name]['recall']:.2f}/{t[name]['f1']:.2f}"
            for t in result.values()
        )
        print(f"{name:28s} {result['keyword'][name]['tagged']:5.0f}  {row}")


if __name__ == "__main__":
    app.run(main)
