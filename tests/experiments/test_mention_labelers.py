# SPDX-License-Identifier: Apache-2.0
"""The labelers beside `label_findings`, and their scores."""

import numpy as np
import pytest

from experiments.labeler.labeler_scores import difference, incidence, macro_f1, measure, scores
from experiments.labeler.mention_labelers import keyword, medspacy, negex, sentences_of
from experiments.labeler.open_i import TaggedReport

REPORT = "INDICATION: Edema.\nFINDINGS: No effusion. Small pneumothorax."
# An interpreter that has no medspaCy but answers as the worker does.
ANSWER = '{"version": "9", "seconds": 0.5, "flags": [[[["is_negated"]], [["is_historical"]]]]}'


def interpreter(folder, script):
    fake = folder / "python"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    return str(fake)


def test_mentions_are_those_of_sections_that_report():
    found = [(s.text, s.mentions) for s in sentences_of(REPORT)]
    assert found == [
        ("no effusion.", (("Pleural Effusion", 3, 11),)),
        ("small pneumothorax.", (("Pneumothorax", 6, 18),)),
    ]


def test_keywords_and_negations():
    assert keyword(REPORT) == {"Pleural Effusion": 1, "Pneumothorax": 1}
    assert negex(REPORT) == {"Pneumothorax": 1}
    assert negex("No effusion.") == {"No Finding": 1}
    assert negex("Scoliosis. Pacemaker.") == {"Support Devices": 1}
    assert negex("Pacemaker.") == {"No Finding": 1, "Support Devices": 1}


def test_another_interpreter_decides_what_is_negated(tmp_path):
    python = interpreter(tmp_path, f"cat > {tmp_path}/request; echo '{ANSWER}'")
    labels, answer = medspacy([REPORT], python)
    assert labels == [{"Pneumothorax": 1}] and answer["version"] == "9"
    assert '"text": "no effusion.", "mentions": [[3, 11]]' in (tmp_path / "request").read_text()


def test_an_interpreter_without_medspacy_is_named(tmp_path):
    python = interpreter(tmp_path, "echo 'No module named medspacy' >&2; exit 1")
    with pytest.raises(ValueError, match="medspacy_worker.py failed:\nNo module named medspacy"):
        medspacy([REPORT], python)


def test_scores_and_their_differences():
    tagged = incidence([frozenset({"Edema"}), frozenset({"Edema"}), frozenset()])
    said = incidence([frozenset({"Edema"}), frozenset({"Fracture"}), frozenset()])
    table = scores(said, tagged)
    assert table["Edema"] == {"precision": 1, "recall": 0.5, "f1": 0.667, "tagged": 2}
    assert table["Fracture"] == {"precision": 0, "recall": 0, "f1": 0, "tagged": 0}
    np.testing.assert_allclose(macro_f1(said, tagged, np.ones((1, 3))), [2 / 3 / 14])
    assert difference(said, said, tagged) == {"value": 0, "low": 0, "high": 0}
    better = difference(tagged, said, tagged)
    assert better["value"] == pytest.approx(1 / 3 / 14, abs=1e-3) and better["low"] >= 0


def test_all_labelers_on_tagged_reports(tmp_path):
    python = interpreter(tmp_path, f"cat > /dev/null; echo '{ANSWER}'")
    report = TaggedReport(1, (("FINDINGS", "No effusion. Small pneumothorax."),), (), False)
    result = measure([report], python)
    assert result["reports"] == 1 and result["versions"] == {"medspacy": "9"}
    assert list(result["macro_f1"]) == ["label_findings", "negex", "keyword", "medspacy"]
    assert result["reports_per_second_core"]["medspacy"] == 2
    assert set(result["label_findings_less"]) == {"negex", "keyword", "medspacy"}
