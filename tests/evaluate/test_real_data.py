# SPDX-License-Identifier: Apache-2.0
"""Prepared data through the evaluation data and an in-loop evaluator; a folder read without a build."""

import pathlib

import numpy as np
import pytest
from PIL import Image

from medst_jax.data.mixture.data_options import DataOptions, DataSetOptions
from medst_jax.data.records.studies import MissingDataError
from medst_jax.data_pipelines.fixture import write_fixture
from medst_jax.data_pipelines.image_table.direct import image_rows, squares
from medst_jax.data_pipelines.raw import Reject
from medst_jax.evaluate.in_loop import make_evaluator
from medst_jax.evaluate.protocols.retrieval import RetrievalOptions, retrieval
from medst_jax.evaluate.subjects.context import EvaluationContext, EvaluationData
from medst_jax.evaluate.subjects.embedder import Embedder
from medst_jax.options import OptionError
from tests.evaluate.fakes import LENGTH, FakeSystem, FakeTokenizer

SIZE = 16


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("data")
    write_fixture(folder, patients=40, size=32)
    return folder


def _data(data_dir: pathlib.Path) -> DataOptions:
    mixture = {"fixture": DataSetOptions()}
    return DataOptions(mixture, data_dir=str(data_dir), size=SIZE, text_length=LENGTH)


def test_in_loop_evaluator(data_dir: pathlib.Path) -> None:
    options = {
        "protocol": "linear_probe",
        "every": 10,
        "task": {"dataset": "fixture", "kind": "multi"},
        "train": {"dataset": "fixture", "split": "train"},
        "shots": [2],
        "draws": 1,
    }
    evaluate = make_evaluator(options, FakeTokenizer(), _data(data_dir))
    found = evaluate(FakeSystem())
    assert set(found) == {"2 shots/auroc"} and 0 <= found["2 shots/auroc"] <= 1
    assert evaluate(FakeSystem()) == found


def test_in_loop_evaluator_fails_early(data_dir: pathlib.Path) -> None:
    options = {"protocol": "retrieval", "dataset": "absent"}
    with pytest.raises(MissingDataError, match="prepare.py"):
        make_evaluator(options, FakeTokenizer(), _data(data_dir))
    with pytest.raises(OptionError, match="config.evaluate.limits"):
        make_evaluator(
            {"protocol": "retrieval", "dataset": "fixture", "limits": 3},
            FakeTokenizer(),
            _data(data_dir),
        )


def test_evaluation_data_and_retrieval_on_stored_reports(data_dir: pathlib.Path) -> None:
    evaluation_data = EvaluationData(data_dir, SIZE, "pad", progress=False)
    embedder = Embedder(FakeSystem(), FakeTokenizer(), SIZE, LENGTH)
    outcome = retrieval(
        RetrievalOptions("fixture", text="sentences"), EvaluationContext(embedder, evaluation_data)
    )
    ranks = outcome.parts[0].predictions.scores[0, :, 0]
    assert len(ranks) == len(evaluation_data.studies("fixture", "test"))
    assert outcome.retrieved is not None
    assert outcome.retrieved.texts[0][0].startswith("There is")
    assert (
        evaluation_data.exclusion("fixture").endswith(" test")
        and evaluation_data.exclusion("other") == ""
    )
    rows = np.array([3, 0, 3])
    images = evaluation_data.images("fixture", "test", rows)
    assert images.shape == (3, SIZE, SIZE, 1)
    np.testing.assert_array_equal(images[0], images[2])


def test_a_folder_is_read_without_a_build(tmp_path: pathlib.Path) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (20, 30), np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(rng.integers(0, 4000, (20, 30)).astype(np.uint16)).save(tmp_path / "b.png")
    Image.fromarray(rng.integers(0, 255, (40, 40), np.uint8)).save(tmp_path / "c.jpg")
    (tmp_path / "c.jpg").write_bytes((tmp_path / "c.jpg").read_bytes()[:200])
    (tmp_path / "metadata.csv").write_text(
        "image_path,patient_id,report\na.png,p1,\nb.png,p1,\nc.jpg,p2,\nd.png,p3,\n,p4,text\n"
    )
    rows, rejects = image_rows(str(tmp_path))
    assert [(r.row, r.reason) for r in rejects] == [(6, "no image")]
    found = [image for _, image in squares(rows, str(tmp_path), SIZE, "pad", "voi_lut")]
    for image in found[:2]:
        assert isinstance(image, np.ndarray) and image.shape == (SIZE, SIZE, 1)
        assert image.dtype == np.uint8 and image.max() > 100
    assert found[2] == Reject(4, "unreadable JPEG") and found[3] == Reject(5, "missing file")
