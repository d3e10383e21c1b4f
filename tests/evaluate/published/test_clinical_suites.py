# SPDX-License-Identifier: Apache-2.0
"""The suites medst, biovil, liao and chexzero on trees in the official layouts, from files to tables."""

import importlib
import subprocess
import sys
import zlib

import jax
import jax.numpy as jnp
import markupsafe
import numpy as np
import pytest
from flax import nnx
from ml_collections import ConfigDict

from medst_jax.data.images.preprocess import Preprocess
from medst_jax.evaluate.protocols.parts.severity_head import HEAD_LABELS
from medst_jax.evaluate.published.availability import availability
from medst_jax.evaluate.published.comparison import NOTHING, format_comparison, our_cells
from medst_jax.evaluate.report.page import ReportOptions, render
from medst_jax.evaluate.subjects.cautions import SystemUnderTest
from medst_jax.evaluate.subjects.context import EvaluationContext, EvaluationData
from medst_jax.evaluate.subjects.embedder import Embedder
from medst_jax.evaluate.suite import SuiteOptions, SuiteResult, parse_suite, run_suite
from medst_jax.systems.system import Embedding, System
from tests.evaluate.fakes import unit_norm
from tests.evaluate.published.trees import prepare_all
from tests.parallel.together import ROOT

SIZE, WIDTH, GRID, TOKENS = 16, 8, 4, 97
SUITES = ("medst", "biovil", "liao", "chexzero")


class Contestant(System):
    """A linear image encoder, a bag of words, and an edema head: nothing that could be good."""

    has_prototypes = True
    required_keys = ("frontal",)
    labels = HEAD_LABELS
    preprocess = Preprocess(size=SIZE, channels=1)

    def __init__(self) -> None:
        normal = np.random.default_rng(0).normal
        side = SIZE // GRID
        self.image_encoder = nnx.Param(jnp.asarray(normal(size=(side * side, WIDTH)), jnp.float32))
        self.words = nnx.Param(jnp.asarray(normal(size=(TOKENS, WIDTH)), jnp.float32))
        self.head = nnx.Param(jnp.asarray(normal(size=(WIDTH, 3)), jnp.float32))

    def encode_image(self, images: jax.Array, **views: jax.Array) -> Embedding:
        side = SIZE // GRID
        cells = (images.astype(jnp.float32) / 255 - 0.5).reshape(-1, GRID, side, GRID, side)
        cells = cells.transpose(0, 1, 3, 2, 4).reshape(len(images), GRID * GRID, side * side)
        local = jnp.tanh(cells @ self.image_encoder[...])
        features = local.mean(1)
        return Embedding(unit_norm(features), unit_norm(local), features)

    def encode_text(self, tokens: jax.Array, token_mask: jax.Array) -> Embedding:
        words = self.words[...][tokens] * token_mask[..., None]
        features = words.sum(1)
        length = jnp.linalg.norm(features, axis=-1)
        return Embedding(unit_norm(features), unit_norm(words), features, length)

    def class_logits(self, images: jax.Array) -> jax.Array:
        return self.encode_image(images).features @ self.head[...]


class Words:
    """A token for every word."""

    def encode_batch(self, texts, length):
        tokens = np.zeros((len(texts), length), np.int32)
        for row, text in enumerate(texts):
            ids = [1 + zlib.crc32(word.encode()) % (TOKENS - 1) for word in text.lower().split()]
            tokens[row, : len(ids[:length])] = ids[:length]
        return tokens, tokens > 0


def quick(name: str) -> ConfigDict:
    """The suite as it is but for the length of its trainings and the bootstrap."""
    suite = importlib.import_module(f"medst_jax.configs.evaluate.{name}").get_config(None)
    suite.draws = 20
    for task in suite.tasks.values():
        if "tuning" in task:
            task.tuning["epochs" if "epochs" in task.tuning else "steps"] = 3
        if task.protocol == "sentence_inference":
            task.update(runs=2, tuning=dict(steps=3))
    return suite


@pytest.fixture(scope="module", params=SUITES)
def judged(request, tmp_path_factory):
    """A suite, its data folder and what it gives of the contestant."""
    folder = tmp_path_factory.mktemp(request.param)
    suite = quick(request.param)
    options, tasks = parse_suite(suite)
    assert not any(one.there for one in availability(options.tasks, folder / "data"))
    names = {one.need.dataset for one in availability(options.tasks, folder / "data")}
    prepare_all(names, folder / "raw", folder / "data")
    data = EvaluationData(folder / "data", SIZE, "pad", progress=False)
    context = EvaluationContext(Embedder(Contestant(), Words(), SIZE, 16), data)
    result = run_suite(options, tasks, context, SystemUnderTest("contestant"))
    return options, folder / "data", result, context


def test_every_part_of_the_data_is_there_after_prepare(judged) -> None:
    options, data_dir, _, _ = judged
    assert all(one.there for one in availability(options.tasks, data_dir))


def test_every_column_of_every_published_table_has_our_number(judged) -> None:
    options, _, result, _ = judged
    assert not result.skipped
    assert options.benchmark is not None
    for table in options.benchmark.tables:
        cells = our_cells(table, result.rows)
        assert [c.value for c in cells if c.value == NOTHING] == [], table.title
        text = format_comparison(table, "contestant", result.rows, grey=True).splitlines()
        ours = next(k for k, line in enumerate(text) if line.startswith("contestant"))
        assert len(text) - 1 - ours == len(table.rows)
        assert all(line.startswith("\x1b[90m") for line in text[ours + 1 :])


def test_the_report_states_the_designs(judged) -> None:
    options, _, result, context = judged
    assert options.benchmark is not None
    shown = ReportOptions("t", benchmark=options.benchmark)
    page = render(shown, result, context.data, SystemUnderTest("contestant"))
    assert all(str(markupsafe.escape(table.title)) in page for table in options.benchmark.tables)
    assert "effusion 3" not in page and "The lungs are clear" not in page


def rows_of(judged: tuple[SuiteOptions, object, SuiteResult, object], task: str) -> dict[str, int]:
    return {f"{r.task}|{r.metric}": r.n for r in judged[2].rows if r.task.startswith(task)}


def test_whom_each_suite_judges(judged) -> None:
    """How many units there are of the trees, counted by hand."""
    options = judged[0]
    title = options.benchmark.title
    if title.startswith("Med-ST"):
        assert rows_of(judged, "progression")["progression/Edema/released|accuracy"] == 33
        assert rows_of(judged, "sentences")["sentences|auroc/same"] == 24  # no swaps
        assert rows_of(judged, "RSNA")["RSNA, mean of raw vectors|f1/Pneumonia"] == 9
        assert rows_of(judged, "COVIDx")["COVIDx/1%|accuracy"] == 12
    elif title.startswith("BioViL"):
        # Every split, and both phrases of an image that has two.
        assert rows_of(judged, "phrases")["phrases/map|absolute_cnr"] == 20
        assert rows_of(judged, "inference")["inference|accuracy"] == 36
        assert rows_of(judged, "RadNLI")["RadNLI sentences|auroc/same"] == 24  # no neutral pairs
    elif title.startswith("Liao"):
        counts = rows_of(judged, "")
        assert counts["edema, frozen|auroc/0 v 123"] == counts["edema, tuned|auroc/0 v 123"] == 24
        assert counts["edema, frozen/pairwise|auroc/1 v 3"] == 12
        assert counts["findings, frozen/100%|auroc/Fracture"] == 24
    else:
        counts = rows_of(judged, "f")
        assert counts["five findings|auroc/Edema"] == 24  # of studies, laterals apart
        assert counts["fourteen findings|auroc/No Finding"] == 24


@pytest.mark.slow
def test_the_command_prints_the_tables(tmp_path) -> None:
    """On pixels, which have no text: what needs one is skipped, the rest stands in the tables."""
    names = {"ms_cxr_t", "ms_cxr_t_sentences", "rsna_pneumonia", "covidx"}
    prepare_all(names, tmp_path / "raw", tmp_path / "data")
    done = subprocess.run(
        [
            *(sys.executable, "launch/evaluate.py", "--baseline=all_pixels", "--size=16"),
            *("--suite=configs/evaluate/medst.py", f"--data_dir={tmp_path / 'data'}"),
            f"--output={tmp_path / 'out'}",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "skipped sentences: " in done.stdout
    printed = [line.split() for line in done.stdout.splitlines()]
    (released,) = [words for words in printed if words[:2] == ["Med-ST", "60.57"]]
    assert released[-3:] == ["61.12", "±", "0.34"]
    assert "Progression of MS-CXR-T, ten folds" in (tmp_path / "out/report.html").read_text()
