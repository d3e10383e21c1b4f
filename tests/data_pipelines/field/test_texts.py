# SPDX-License-Identifier: Apache-2.0
"""Sentence pairs and corpora, and the retrieval lists that come with text queries."""

import json
from collections import Counter

import numpy as np
import pytest

from medst_jax.data.records.annotations import SentencePair, Text, open_annotations
from medst_jax.data.records.studies import MissingDataError
from medst_jax.data_pipelines.listing.csv_table import TableError
from medst_jax.evaluate.report.page import ReportOptions, render
from medst_jax.evaluate.subjects.cautions import SystemUnderTest
from medst_jax.evaluate.subjects.context import EvaluationContext, EvaluationData
from medst_jax.evaluate.subjects.embedder import Embeddings
from medst_jax.evaluate.subjects.features_only import FeaturesOnly
from medst_jax.evaluate.suite import parse_suite, run_suite
from tests.data_pipelines.official import codes, jpegs, prepare, rejects, studies_of, write


def pair(relation: str, first: str = "No edema.", second: str = "There is no edema.") -> str:
    return json.dumps(
        {"pair_id": "x", "gold_label": relation, "sentence1": first, "sentence2": second}
    )


def test_radnli(tmp_path):
    relations = ("entailment", "contradiction", "neutral", "neutral")
    folder = write(
        tmp_path / "in",
        {
            "radnli_dev_v1.jsonl": "\n".join(map(pair, relations)) + "\n\n",
            "radnli_test_v1.jsonl": pair("entailment", "A.", "B."),
        },
    )
    result = prepare("radnli", folder, tmp_path)
    assert list(result.annotations["sentence_pairs"]["splits"]) == ["test", "val"]
    pairs = open_annotations(tmp_path, "radnli", SentencePair, "val")
    assert Counter(p.relation for p in pairs) == Counter(relations)
    test = open_annotations(tmp_path, "radnli", SentencePair, "test")
    assert list(test) == [SentencePair("A.", "B.", "entailment", "radnli")]
    again = prepare("radnli", folder, tmp_path)
    assert again.annotations == result.annotations


def test_a_data_set_of_texts_alone_is_evaluated(tmp_path):
    """It holds no studies: nothing to decode, to exclude or to show."""
    sides = [(f"Effusion {k}.", "No effusion.", "contradiction") for k in range(6)]
    sides += [(f"Effusion {k}.", f"Effusion {k}.", "entailment") for k in range(6)]
    lines = "\n".join(pair(relation, a, b) for a, b, relation in sides)
    folder = write(
        tmp_path / "in", {f"radnli_{split}_v1.jsonl": lines for split in ("dev", "test")}
    )
    prepare("radnli", folder, tmp_path)
    evaluation_data = EvaluationData(tmp_path, 16, "pad", progress=False)
    system = SystemUnderTest("words", stamp={"exclude": {}})
    options, tasks = parse_suite(
        {
            "draws": 20,
            "tasks": {
                "similarity": dict(
                    protocol="sentence_similarity",
                    dataset="radnli",
                    same=("entailment",),
                    different=("contradiction",),
                )
            },
        }
    )
    result = run_suite(options, tasks, EvaluationContext(CountedWords(16), evaluation_data), system)
    (auroc,) = [row.value for row in result.rows if row.metric == "auroc"]
    assert auroc == 1.0
    page = render(ReportOptions("t"), result, evaluation_data, system)
    assert "radnli: licence" in page and "Effusion" not in page
    with pytest.raises(MissingDataError):
        evaluation_data.image_studies("mednli", "test")


class CountedWords(FeaturesOnly):
    """Embeds a text by its words."""

    what = "a count of words"
    has_text = True

    def texts(self, texts):
        counts = np.zeros((len(texts), 97), np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                counts[row, sum(map(ord, word)) % 97] += 1
        unit = counts / np.linalg.norm(counts, axis=1, keepdims=True)
        return Embeddings(counts, unit)


def test_mednli_has_a_training_split(tmp_path):
    folder = write(tmp_path / "in", {"mli_train_v1.jsonl": pair("neutral")})
    result = prepare("mednli", folder, tmp_path)
    assert list(result.annotations["sentence_pairs"]["splits"]) == ["train"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "line is not JSON"),
        ("[" * 100000, "line is not JSON"),
        ("[]", "line is not a JSON object"),
        (pair("maybe"), "gold_label is none of"),
        (pair("neutral", ""), "sentence1 or sentence2 is missing"),
    ],
)
def test_bad_pairs_fail_above_one_percent(tmp_path, line, reason):
    lines = "\n".join([pair("neutral")] * 50 + [line])
    folder = write(tmp_path / "in", {"radnli_dev_v1.jsonl": lines})
    with pytest.raises(TableError, match=rf"1 of 51 inputs rejected \(1 x {reason}"):
        prepare("radnli", folder, tmp_path)
    write(folder, {"radnli_dev_v1.jsonl": "\n".join([lines] + [pair("neutral")] * 50)})
    prepare("radnli", folder, tmp_path)
    assert len(open_annotations(tmp_path, "radnli", SentencePair, "val")) == 100


def test_temporal_sentences(tmp_path):
    rows = "id,sentence_1,sentence_2,category,subset_name\n"
    rows += '0,"Edema, worse.",Edema has worsened.,paraphrase,RadGraph\n'
    rows += "1,Edema is worse.,Edema is better.,contradiction,swaps\n"
    name = "MS_CXR_T_temporal_sentence_similarity_v1.0.0.csv"
    prepare("ms_cxr_t_sentences", write(tmp_path / "in", {name: rows}), tmp_path)
    pairs = open_annotations(tmp_path, "ms_cxr_t_sentences", SentencePair, "test")
    assert list(pairs) == [
        SentencePair("Edema, worse.", "Edema has worsened.", "similar", "RadGraph"),
        SentencePair("Edema is worse.", "Edema is better.", "different", "swaps"),
    ]


CITATION = """<PubmedArticle><MedlineCitation><PMID>1</PMID><Article><ArticleTitle>T</ArticleTitle>
<Abstract>{}</Abstract><Language>{}</Language></Article></MedlineCitation></PubmedArticle>"""


def citations(*bodies: tuple[str, str]) -> str:
    inside = "".join(CITATION.format(*body) for body in bodies)
    return f'<?xml version="1.0"?><PubmedArticleSet>{inside}</PubmedArticleSet>'


def test_pubmed_abstracts(tmp_path):
    labelled = '<AbstractText Label="AIM">To <i>see</i>.</AbstractText>'
    labelled += '<AbstractText Label="RESULTS">We\n  saw.</AbstractText>'
    folder = write(
        tmp_path / "in",
        {
            "pubmed25n0001.xml.gz": citations(
                (labelled, "eng"), ("<AbstractText>Vimos.</AbstractText>", "spa"), ("", "eng")
            ),
            "pubmed25n0002.xml": citations(("<AbstractText>More.</AbstractText>", "eng")),
        },
    )
    prepare("pubmed_abstracts", folder, tmp_path)
    texts = list(open_annotations(tmp_path, "pubmed_abstracts", Text, "train"))
    assert texts == [
        Text("AIM: To see.\nRESULTS: We saw.", "en"),
        Text("Vimos.", "es"),
        Text("More.", "en"),
    ]


def test_a_file_cut_short_is_an_error(tmp_path):
    whole = citations(*[("<AbstractText>More.</AbstractText>", "eng")] * 20)
    folder = write(tmp_path / "in", {"pubmed25n0001.xml": whole[:-400]})
    with pytest.raises(TableError, match="file is damaged"):
        prepare("pubmed_abstracts", folder, tmp_path)


def test_notes_of_test_patients_are_kept_apart(tmp_path):
    notes = "note_id,subject_id,hadm_id,note_type,note_seq,charttime,storetime,text\n"
    notes += '1,10000032,,RR,1,,,"EXAMINATION: CHEST\nIt says ""clear""."\n'
    notes += "2,11000011,,RR,1,,,Second note.\n3,12000000,,RR,1,,,Third note.\n"
    split = "dicom_id,study_id,subject_id,split\na,1,10000032,test\nb,2,11000011,train\n"
    folder = write(
        tmp_path / "in", {"radiology.csv.gz": notes, "mimic-cxr-2.0.0-split.csv.gz": split}
    )
    prepare("mimic_notes", folder, tmp_path)
    test = list(open_annotations(tmp_path, "mimic_notes", Text, "test"))
    assert [t.text for t in test] == ['EXAMINATION: CHEST\nIt says "clear".']
    assert len(open_annotations(tmp_path, "mimic_notes", Text, "train")) == 2


def test_notes_of_mimic_iii(tmp_path):
    header = "ROW_ID,SUBJECT_ID,HADM_ID,CHARTDATE,CHARTTIME,STORETIME,CATEGORY,DESCRIPTION,CGID,"
    notes = header + "ISERROR,TEXT\n"
    notes += "".join(f"{k},{k},,,,,Radiology,CHEST,,,Note {k}.\n" for k in range(30))
    notes += "99,99,,,,,Radiology,CHEST,,1,Wrong.\n"
    result = prepare("mimic_notes", write(tmp_path / "in", {"NOTEEVENTS.csv": notes}), tmp_path)
    splits = result.annotations["texts"]["splits"]
    assert sum(count["records"] for count in splits.values()) == 30
    assert len(splits) > 1


def test_retrieval_lists(tmp_path):
    path = "CheXpert-v1.0/train/patient0000{}/study1/view1_frontal.jpg"
    header = (
        "Path,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,Edema,"
        "Consolidation,Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,"
        "Support Devices\n"
    )
    one = ",,,1.0" + "," * 11
    two = ",,,1.0,,,1.0" + "," * 8
    folder = write(
        tmp_path / "in",
        {
            **jpegs(path.format(1), path.format(2)),
            "image-retrieval/candidate.csv": header
            + f"{path.format(1)}{one}\n{path.format(3)}{two}\n",
            "image-retrieval/query.csv": f"Variable,Path\nEdema,{path.format(2)}\n",
            "text-retrieval/query.csv": 'Variable,Text\nEdema,"Kerley lines, bilateral"\n',
        },
    )
    result = prepare("chexpert_8x200", folder, tmp_path, limit=0.9)
    assert rejects(result) == {"not exactly one of the eight classes": 1}
    found = codes(studies_of(tmp_path, "chexpert_8x200", "test"), 0)
    assert (found["Cardiomegaly"], sum(found.values())) == (1, 1)
    prepare("chexpert_8x200_queries", folder, tmp_path)
    assert codes(studies_of(tmp_path, "chexpert_8x200_queries", "test"), 0)["Edema"] == 1
    prepare("chexpert_8x200_text_queries", folder, tmp_path)
    queries = open_annotations(tmp_path, "chexpert_8x200_text_queries", SentencePair, "test")
    assert (queries[0].text_a, queries[0].text_b) == ("Kerley lines, bilateral", "Edema")


@pytest.mark.parametrize("name", ["radnli", "mednli", "pubmed_abstracts", "mimic_notes", "ms_cxr"])
def test_an_empty_folder_is_named(tmp_path, name):
    with pytest.raises(TableError, match=str(tmp_path)):
        prepare(name, tmp_path, tmp_path / "data")
