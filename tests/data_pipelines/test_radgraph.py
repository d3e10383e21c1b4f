# SPDX-License-Identifier: Apache-2.0
"""RadGraph files in all their forms give the same entities, and classes by what the entities say."""

import json

import numpy as np
import pytest

from medst_jax.data_pipelines.entities import record
from medst_jax.data_pipelines.listing.csv_table import TableError
from medst_jax.data_pipelines.radgraph.findings import finding_codes
from medst_jax.data_pipelines.radgraph.places import report_places
from medst_jax.data_pipelines.radgraph.reader import Entity, EntityReport, read_radgraph, study_of
from medst_jax.data_pipelines.raw import Reject
from medst_jax.text.places import locate_report

TEXT = "Small left pleural effusion . No pneumothorax . Possible edema ."


def entity(tokens: str, label: str, place: int, *relations: list[str]) -> dict[str, object]:
    words = tokens.split()
    return {
        "tokens": tokens,
        "label": label,
        "start_ix": place,
        "end_ix": place + len(words) - 1,
        "relations": list(relations),
    }


def report(present: str, absent: str, uncertain: str, anatomy: str) -> dict[str, object]:
    entities = {
        "1": entity("Small", present, 0, ["modify", "4"]),
        "2": entity("left", anatomy, 1, ["modify", "3"]),
        "3": entity("pleural", anatomy, 2),
        "4": entity("effusion", present, 3, ["located_at", "3"]),
        "5": entity("pneumothorax", absent, 6),
        "6": entity("edema", uncertain, 9),
    }
    return {"text": TEXT, "entities": entities, "data_source": "MIMIC-CXR", "data_split": "train"}


SHORT = report("OBS-DP", "OBS-DA", "OBS-U", "ANAT-DP")
LONG = report(
    "Observation::definitely present",
    "Observation::definitely absent",
    "Observation::uncertain",
    "Anatomy::definitely present",
)
KEY = "p10/p10000032/s50414267.txt"


def read(tmp_path, content: object) -> list[EntityReport | Reject]:
    path = tmp_path / "graphs.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return list(read_radgraph(path))


@pytest.mark.parametrize(
    "content",
    [
        {KEY: SHORT},
        {KEY: LONG},
        {KEY.replace("/", "_"): LONG},
        {KEY: {"text": TEXT, "labeler_1": SHORT, "labeler_2": {"entities": {}}}},
    ],
)
def test_every_form_gives_the_same(tmp_path, content):
    (found,) = read(tmp_path, content)
    assert found.study == ("10000032", "50414267")
    assert found.entities["4"] == Entity("effusion", "observation", 1, 3, 4, (("located_at", "3"),))
    assert (found.entities["3"].kind, found.entities["6"].certainty) == ("anatomy", -1)
    assert finding_codes(found) == {"Pleural Effusion": 1, "Pneumothorax": 0, "Edema": -1}


def test_the_list_of_chexpert_plus_keeps_its_places(tmp_path):
    first, second, third = read(tmp_path, [{"0": LONG}, {}, {"0": SHORT}])
    assert second == Reject(2, "report without text")
    assert first.study == ("", "") and finding_codes(first) == finding_codes(third)


def test_presence_outweighs_doubt_and_doubt_denial(tmp_path):
    entities = {
        str(k): entity("edema", f"OBS-{code}", k) for k, code in enumerate(("DA", "U", "DA"))
    }
    (doubted,) = read(tmp_path, {"x": {"text": TEXT, "entities": entities}})
    assert finding_codes(doubted) == {"Edema": -1}
    entities["9"] = entity("edema", "OBS-DP", 9)
    (present,) = read(tmp_path, {"x": {"text": TEXT, "entities": entities}})
    assert finding_codes(present) == {"Edema": 1}


RIB = [
    entity("fracture", "OBS-DP", 4, ["located_at", "2"]),
    entity("rib", "ANAT-DP", 3),
    entity("seventh", "ANAT-DP", 2, ["modify", "2"]),
    entity("right", "ANAT-DP", 0, ["modify", "5"]),
    entity("posterior", "ANAT-DP", 1, ["modify", "3"]),
]


@pytest.mark.parametrize(
    ("graph", "text"),
    [
        (SHORT, "Small left pleural effusion. No pneumothorax. Possible edema."),
        (
            {"text": "x", "entities": {str(k + 1): one for k, one in enumerate(RIB)}},
            "right posterior seventh rib fracture.",
        ),
    ],
)
def test_a_report_gives_the_record_that_the_labeler_gives(tmp_path, graph, text):
    (found,) = read(tmp_path, {KEY: graph})
    mined, ours = record(3, report_places(found)), record(3, locate_report(f"FINDINGS: {text}"))
    assert mined.row == ours.row and len(ours.places)
    np.testing.assert_array_equal(mined.codes, ours.codes)
    np.testing.assert_array_equal(mined.places, ours.places)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"label": "OBS-SECRET"}, "entity with an unknown label"),
        ({"label": None}, "entity with an unknown label"),
        ({"tokens": 5}, "entity without tokens"),
        ({"end_ix": -1}, "entity without places"),
        ({"start_ix": "SECRET"}, "entity without places"),
        ({"relations": [["SECRET", "1"]]}, "unknown relation"),
        ({"relations": 5}, "unknown relation"),
        ({"relations": [["modify", "77"]]}, "relation to an entity that is not there"),
    ],
)
def test_what_cannot_be_is_rejected_without_its_text(tmp_path, change, reason):
    entities = {**SHORT["entities"], "1": {**SHORT["entities"]["1"], **change}}
    found = read(tmp_path, {KEY: {**SHORT, "entities": entities}, "other": SHORT})
    assert found[0] == Reject(1, reason) and isinstance(found[1], EntityReport)


@pytest.mark.parametrize("text", ["{", "5", "[" * 100000])
def test_a_file_of_another_kind(tmp_path, text):
    with pytest.raises(TableError, match=r"graphs\.json"):
        read(tmp_path, text)


def test_keys():
    assert study_of("patient00001/study1/view1_frontal.jpg") == (
        "patient00001",
        "patient00001/study1",
    )
    assert study_of("train/patient00001/study12") == ("patient00001", "patient00001/study12")
    assert study_of("0") == ("", "")
