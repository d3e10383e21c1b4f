# SPDX-License-Identifier: Apache-2.0
"""Pairs of texts: built from a table, read into batches whose examples follow from the step."""

import json
from collections import Counter

import numpy as np
import pytest

from medst_jax.data.loader.pair_input import make_pair_input, with_definitions_of_others
from medst_jax.data.records.annotations import TextPair, open_annotations
from medst_jax.data_pipelines.build import BuildOptions, build
from medst_jax.data_pipelines.run_banks import Runner
from medst_jax.data_pipelines.texts.text_pairs import KNOWLEDGE, SimulatedKnowledge, TextPairs
from medst_jax.options import OptionError

ROWS = [
    TextPair("c1", "edema", "fluid in the lung", "definition"),
    TextPair("c1", "edema", "pulmonary edema", "synonym"),
    TextPair("c2", "mass", "a round growth", "definition"),
    TextPair("c2", "mass", "lesion", "synonym"),
    TextPair("", "mass in the lung", "growth", "relation"),
]


@pytest.fixture(scope="module")
def pairs(data_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("table")
    lines = ["concept,text_a,text_b,kind"]
    lines += [f"{r.concept},{r.text_a},{r.text_b},{r.kind}" for r in ROWS]
    (folder / "text_pairs.csv").write_text("\n".join(lines) + "\n")
    source = TextPairs(str(folder), "facts")
    return build(source, data_dir, BuildOptions(runner=Runner(workers=1)))


def _input(options, tokenizer, seed=0, **changes):
    return make_pair_input(
        options({"facts": {}}, **changes), seed=seed, global_batch=3, tokenizer=tokenizer
    )


def test_a_table_is_read_back(data_dir, pairs):
    assert list(open_annotations(data_dir, "facts", TextPair, "train")) == ROWS
    assert pairs.annotations["text_pairs"]["splits"]["train"]["kind"]["definition"] == 2


def test_batches_follow_from_step_and_seed(pairs, options, tokenizer):
    source = _input(options, tokenizer)
    batches = [b for _, b in zip(range(10), source.batches(), strict=False)]
    for key, spec in source.spec.items():
        assert batches[0][key].shape == spec.shape and batches[0][key].dtype == spec.dtype
    later = next(source.batches(4))
    part = next(source.batches(4, np.array([2])))
    for key, value in later.items():
        np.testing.assert_array_equal(value, batches[4][key])
        np.testing.assert_array_equal(value[2:], part[key])
    # Every pair once an epoch; texts of no concept have none.
    seen = np.concatenate([b["concept"] for b in batches])[:30].reshape(6, 5)
    assert all(sorted(epoch) == [-1, 0, 0, 1, 1] for epoch in seen.tolist())
    other = next(_input(options, tokenizer, seed=1).batches())
    assert any(not np.array_equal(other[k], batches[0][k]) for k in ("tokens", "concept"))
    assert source.stamp() == _input(options, tokenizer).stamp()
    words = {
        tuple(row[m]) for row, m in zip(batches[0]["tokens"], batches[0]["token_mask"], strict=True)
    }
    assert words <= {
        tuple(r[m])
        for r, m in zip(*tokenizer.encode_batch([p.text_a for p in ROWS], 24), strict=True)
    }


def test_what_it_cannot_do_is_said(pairs, options, tokenizer):
    with pytest.raises(OptionError, match="no tokenizer"):
        _input(options, None)
    with pytest.raises(OptionError, match=r"weight is 2.0; .* leave it at 1"):
        make_pair_input(
            options({"facts": {"weight": 2.0}}), seed=0, global_batch=3, tokenizer=tokenizer
        )


def test_the_control_swaps_definitions_and_leaves_names(pairs, options, tokenizer):
    moved = with_definitions_of_others(ROWS[:4], 0)
    assert [m.text_b for m in moved] == [
        "a round growth",
        "pulmonary edema",
        "fluid in the lung",
        "lesion",
    ]
    assert [(m.concept, m.text_a, m.kind) for m in moved] == [
        (r.concept, r.text_a, r.kind) for r in ROWS[:4]
    ]
    source = _input(options, tokenizer, shuffle="definitions")
    assert source.stamp()["config_hash"] != _input(options, tokenizer).stamp()["config_hash"]


def test_simulated_knowledge_has_every_concept_in_every_kind(tmp_path):
    build(SimulatedKnowledge(), tmp_path, BuildOptions(runner=Runner(workers=1)))
    found = list(open_annotations(tmp_path, "simulated_knowledge", TextPair, "train"))
    assert len(found) == len(json.loads(KNOWLEDGE.read_text())["pairs"]) == 150
    kinds = Counter(pair.kind for pair in found)
    assert kinds == {"synonym": 50, "definition": 50, "appearance": 25, "place": 25}
    assert len({pair.concept for pair in found}) == 25
    assert len({(pair.text_a, pair.text_b) for pair in found}) == 150
