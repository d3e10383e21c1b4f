# SPDX-License-Identifier: Apache-2.0
"""The page in a real browser: columns sort by a click."""

from medst_jax.reality_check.page import page
from tests.pages.browser import look
from tests.reality_check.stand_ins import table_of

PROBE = """(() => {
  const heads = [...document.querySelectorAll("table.leaderboard th")];
  const values = () => [...document.querySelectorAll("table.leaderboard tbody tr")]
    .map((row) => parseFloat(row.cells[3].dataset.value));
  heads[3].click();
  const falling = values();
  heads[3].click();
  return {falling, rising: values()};
})()"""


def test_columns_sort(runner, tmp_path) -> None:
    seen = look(tmp_path, page("Check", table_of(runner), "random", {"date": "today"}), PROBE)
    assert seen["falling"] == sorted(seen["falling"], reverse=True) and len(seen["falling"]) > 2
    assert seen["rising"] == sorted(seen["rising"])
