# SPDX-License-Identifier: Apache-2.0
"""The four pages: text stays text, whatever it says, and the page fits its window."""

import html.parser
import re

import pytest

from medst_jax.pages.blocks import Cell, Line, Page, Paragraph, Section, Table, Tile, Tiles
from medst_jax.pages.render import render
from medst_jax.pages.shown import plain, short
from tests.pages import hostile
from tests.pages.browser import look

_VOID = {"meta", "img", "br", "link", "input"}
_TAGS = re.compile(
    "html|head|meta|title|style|body|main|h[123]|p|span|b|div|small|table|thead|tbody|tr|th|td|figure|"
    "figcaption|img|details|summary|[uod]l|li|dt|dd|pre|a|br|mark|footer|script|"
    "svg|g|path|text|tspan|defs|clippath|use|rect|line|circle"
)
PROBE = """(() => {
  const style = (node) => getComputedStyle(document.querySelector(node));
  return {hacked: window.hacked ?? 0, width: innerWidth,
    content: document.documentElement.scrollWidth, page: style("body").backgroundColor,
    ink: style("body").color, muted: style("footer, .sub").color,
    scripts: document.scripts.length, images: [...document.images].filter((i) => !i.complete ||
      !i.naturalWidth).length};
})()"""


class Seen(html.parser.HTMLParser):
    """Counts tags and checks that they close, and that none does more than show."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.count: dict[str, int] = {}
        self.text = ""

    def handle_starttag(self, tag, attrs) -> None:
        assert _TAGS.fullmatch(tag), tag
        self.count[tag] = self.count.get(tag, 0) + 1
        for name, value in attrs:
            assert not name.startswith("on"), (tag, name)
            if name == "src":
                assert value.startswith("data:image/jpeg;base64,"), value[:60]
            if name in ("href", "xlink:href"):
                assert re.match(r"#|cells/", value), value[:60]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.open.pop()

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.text += data


PAGES = {
    "evaluation": lambda folder: hostile.evaluation(),
    "data card": hostile.data_card,
    "reality check": lambda folder: hostile.reality_check(),
    "comparison": lambda folder: hostile.comparison(),
}


@pytest.fixture(scope="module", params=PAGES)
def made(request, tmp_path_factory) -> tuple[str, str]:
    return request.param, PAGES[request.param](tmp_path_factory.mktemp("page"))


def test_hostile_text_stays_text(made) -> None:
    name, text = made
    seen = Seen()
    seen.feed(text)
    assert not seen.open and seen.count.get("script", 0) == (name == "reality check")
    assert seen.count["style"] == 1 + text.count('<div class="drawing">')
    for said in (hostile.SCRIPT, hostile.IMAGE, hostile.TEMPLATE, hostile.RIGHT_TO_LEFT):
        assert said in seen.text, said
    assert "\u202e" not in text and "\0" not in text
    assert "a$\\frac$b" in seen.text and "_hidden" in seen.text


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pages_in_a_browser(made, dark, tmp_path) -> None:
    seen = look(tmp_path, made[1], PROBE, width=500 if dark else 1280, dark=dark)
    assert seen["hacked"] == 0 and seen["images"] == 0
    assert seen["content"] <= seen["width"], "wide tables scroll inside"
    assert _contrast(seen["ink"], seen["page"]) > 7 and _contrast(seen["muted"], seen["page"]) > 4.5
    brightness = sum(map(int, re.findall(r"\d+", seen["page"])[:3])) / 3
    assert brightness < 60 if dark else brightness > 200


def _contrast(first: str, second: str) -> float:
    """Ratio of WCAG 2 between two colours "rgb(r, g, b)"."""

    def luminance(colour: str) -> float:
        channels = [int(v) / 255 for v in re.findall(r"\d+", colour)[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_only_the_page_s_own_script_may_run(made) -> None:
    name, text = made
    policy = re.search('http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    allowed = "'sha256-" if name == "reality check" else "'none'"
    assert f"script-src {allowed}" in policy[1] and "default-src 'none'" in policy[1]


def test_blocks_are_escaped_and_empty_ones_left_out() -> None:
    text = render(
        Page(
            "a & b",
            [
                Section("x & y", [Table(("h<",), [["<b>"], Line([Cell(1234), 0.25], "head")])]),
                Section("nothing", [Table(("a",), [])]),
                Tiles([Tile(1234, "n", ["<i>"])]),
                Paragraph("<u>", '"><u>'),
            ],
        )
    )
    assert "&lt;b&gt;" in text and "x &amp; y" in text and "a &amp; b" in text and "1,234" in text
    assert "nothing" not in text and "<u>" not in text and "<i>" not in text and "<b>&" not in text
    assert text.startswith("<!doctype html>") and "<script" not in text
    assert 'class="num">0.250</td>' in text


def test_names_without_what_cannot_be_seen() -> None:
    assert plain("a\u202eb\0c\ud800") == "abc\ufffd"
    assert plain("two\nlines\tkept") == "two\nlines\tkept"
    assert short("one  \n line") == "one line" and len(short("x" * 99)) == 36
