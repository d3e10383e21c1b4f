# SPDX-License-Identifier: Apache-2.0
"""Recipe sheets say what configurations hold, and cannot say that different values are equal."""

import dataclasses

import pytest

from experiments.recipes.compare import compare
from experiments.recipes.expanded import expanded
from experiments.recipes.sheet import overview, sheet
from experiments.recipes.source import ROWS, Row, Source, SourceError, names, read
from experiments.recipes.write import COMMAND, outdated, outlived, pages
from tests.configs.test_configs import NAMES

CONFIG = {
    "train.steps": 1000,
    "train.batch_size": 10,
    "optimizer.warmup_steps": 100,
    "optimizer.learning_rate": 1e-4,
    "system.image.name": "resnet50",
    "data.mixture.a.sentences": "one",
    "data.mixture.b.sentences": "one",
}


def source_of(**values):
    row = Row(**{"paper": "said", "release": "said", **values})
    return Source("toy", "Toy", "a paper", "none", "Read.", 100, {"rates": row})


def compared(**values):
    return compare(source_of(**values), CONFIG)["rates"]


def test_every_sheet_is_that_of_its_configuration():
    written, sheets = pages()
    assert sorted(sheets) == [name for name in NAMES if name not in ("dlilp_open", "paired")]
    late = outdated(written)
    assert not late, f"{', '.join(late)} of docs/recipes: of another configuration; run {COMMAND}"


def test_a_changed_configuration_is_another_sheet():
    source, config = read("clip"), expanded("clip")
    before = sheet(source, compare(source, config), config)
    for key, value in (("system.text.dropout", 0.3), ("train.keep", 9), ("seed", 5)):
        changed = {**config, key: value}
        assert sheet(source, compare(source, changed), changed) != before, key
    with pytest.raises(SourceError, match=r"clip.toml: \[rates\]: ours differs .*0.1, not 0.0001"):
        compare(source, {**config, "optimizer.learning_rate": 0.1})


def test_equality_is_compared_and_not_said():
    same = compared(paper_is={"optimizer.learning_rate": 1e-4}, why="old")
    assert (same.paper, same.release, same.departs, same.outlived) == ("equal", "", False, True)
    with pytest.raises(SourceError, match="there is no why"):
        compared(paper_is={"optimizer.learning_rate": 2e-4})
    other = compared(release_is={"optimizer.learning_rate": 2e-4}, why="because")
    assert (other.paper, other.release, other.departs) == ("", "other", True)
    with pytest.raises(SourceError, match="there is no why"):
        compared(departs=True)
    assert compared(departs=True, why="because", ours=("train.steps",)).departs
    rest = source_of(departs=True, why="because", paper_is={"train.steps": 1000})
    assert "| ≈ said | said |" in sheet(rest, compare(rest, CONFIG), CONFIG)


@pytest.mark.parametrize(
    ("key", "value", "equal"),
    [
        ("epochs", 100, True),
        ("epochs", 99, True),
        ("epochs", 90, False),
        ("warmup_epochs", 10, True),
        ("warmup_share", 0.1, True),
        ("train.steps", 1001, False),
        ("system.image.name", "vit", False),
        ("data.mixture.*.sentences", "one", True),
        ("data.mixture.*.sentences", "all", False),
        ("optimizer.absent?", None, True),
        ("optimizer.absent?", 1, False),
    ],
)
def test_values_are_compared(key, value, equal):
    row = compared(paper_is={key: value}, why="" if equal else "because")
    assert row.paper == ("equal" if equal else "other")


def test_keys_that_are_no_options_are_named():
    for field in ({"paper_is": {"optimizer.rate": 1}}, {"ours": ("optimizer.rate",)}):
        with pytest.raises(SourceError, match=r"\[rates\]: the configuration has no optimizer.rat"):
            compared(**field)


def test_a_source_has_every_row_and_no_other(tmp_path):
    lines = ['title = "T"', 'paper = "P"', 'release = "none"', 'read = "Read."']
    rows = [f'[{key}]\npaper = "unknown"\nrelease = "none"' for key in ROWS]
    file = tmp_path / "one.toml"

    def written(*parts):
        file.write_text("\n".join(parts))
        return read("one", tmp_path)

    assert written(*lines, *rows).rows.keys() == ROWS.keys()
    (tmp_path / "two.toml").write_text('like = "one"\ntitle = "U"\n[batch]\npaper="8"\nrelease="8"')
    second = read("two", tmp_path)
    assert (second.title, second.rows["batch"].paper) == ("U", "8")
    assert second.rows["data"].paper == "unknown" and names(tmp_path) == ["one", "two"]
    for parts, said in (
        ((*lines, *rows[1:]), r"\[data\] is missing"),
        ((*lines, *rows, '[other]\npaper = "x"'), r"\[other\] is no row"),
        ((*lines[1:], *rows), "title is missing"),
        ((*lines, *rows[:-1], '[precision]\npaper = "x"'), "release is missing"),
        ((*lines, *rows, "whi = 1"), "whi is no field"),
    ):
        with pytest.raises(SourceError, match=said):
            written(*parts)


def test_departures_stand_on_one_page_with_their_reasons():
    source = source_of(paper_is={"optimizer.learning_rate": 2e-4}, why="A | reason.")
    rows = compare(source, CONFIG)
    page = overview({"toy": (source, rows)})
    assert (
        "| Rates per part | ≠ said | said | `optimizer`: learning_rate 0.0001 | A \\| reason. |"
        in page
    )
    assert "| [toy](toy.md) | Toy | 1 | 0 | 1 |" in page
    agreed = dataclasses.replace(source, rows={"rates": Row("said", "said", why="no more")})
    rows = compare(agreed, CONFIG)
    assert "None." in overview({"toy": (agreed, rows)}) and "no more" not in sheet(
        agreed, rows, CONFIG
    )
    assert outlived({"toy": (agreed, rows)})[0].startswith("docs/recipes/sources/toy.toml: [rates]")
