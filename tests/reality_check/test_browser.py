# SPDX-License-Identifier: Apache-2.0
"""The page in a real browser: nothing overflows, columns sort, light and dark have readable ink."""

import json
import pathlib
import re
import shutil
import subprocess

import pytest

from medst_jax.reality_check.page import page
from tests.reality_check.stand_ins import table_of

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
PROBE = """
const heads = [...document.querySelectorAll("table.leaderboard th")];
const values = () => [...document.querySelectorAll("table.leaderboard tbody tr")]
  .map((row) => parseFloat(row.cells[3].dataset.value));
heads[3].click();
const style = (node) => getComputedStyle(document.querySelector(node));
document.title = JSON.stringify({
  width: innerWidth, content: document.documentElement.scrollWidth, sorted: values(),
  page: style("body").backgroundColor, ink: style("body").color, muted: style(".sub").color,
});
"""


def _seen(folder: pathlib.Path, text: str, width: int, dark: bool) -> dict:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    file = folder / "page.html"
    file.write_text(text.replace("</body>", f"<script>{PROBE}</script></body>"))
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={folder / 'profile'}",
        f"--window-size={width},900",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}",
        "--dump-dom",
        file.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True)
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    return json.loads(title[1])


def _contrast(first: str, second: str) -> float:
    """Ratio of WCAG 2 between two colours "rgb(r, g, b)"."""

    def luminance(colour: str) -> float:
        channels = [int(v) / 255 for v in re.findall(r"\d+", colour)[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_fits_sorts_and_can_be_read(runner, tmp_path, width, dark) -> None:
    text = page("Check", table_of(runner), "random", {"date": "today"})
    seen = _seen(tmp_path, text, width, dark)
    assert seen["content"] <= seen["width"], "tables scroll inside, the page does not"
    assert seen["sorted"] == sorted(seen["sorted"], reverse=True) and len(seen["sorted"]) > 2
    assert _contrast(seen["ink"], seen["page"]) > 7 and _contrast(seen["muted"], seen["page"]) > 4.5
    brightness = sum(map(int, re.findall(r"\d+", seen["page"])[:3])) / 3
    assert brightness < 60 if dark else brightness > 200
