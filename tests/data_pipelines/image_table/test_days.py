# SPDX-License-Identifier: Apache-2.0
"""Dates and numbers in `day_offset`."""

import math

import pytest

from medst_jax.data_pipelines.image_table.options import TableOptions
from medst_jax.data_pipelines.image_table.source import ImageTable
from medst_jax.data_pipelines.listing.csv_table import TableError
from tests.data_pipelines.tables import rows, write_table


def listing_of(folder, *cells, dates=""):
    table = [{**row, "day_offset": cell} for row, cell in zip(rows(len(cells)), cells, strict=True)]
    return ImageTable(str(write_table(folder, table)), options=TableOptions(dates=dates)).read()


FORTY_DAYS = {
    "numbers": ("3", "43"),
    "negative numbers": ("-40", "0.0"),
    "ISO": ("2017-03-04", "2017-04-13"),
    "ISO with times": ("2017-03-04T10:20:00", "2017-04-13 10:20"),
    "digits": ("20170304", "20170413"),
    "floats of digits": ("20170304.0", "20170413.0"),
    "dots": ("04.03.2017", "13.04.2017"),
    "year and slashes": ("2017/03/04", "2017/04/13"),
    "day first": ("04/03/2017", "13/04/2017"),
    "month first": ("03/04/2017", "04/13/2017"),
    "names of months": ("04-Mar-2017", "13-Apr-2017"),
    "later centuries": ("2180-03-04", "2180-04-13"),
    "dashes, day first": ("4-3-2017", "13-4-2017"),
    "fractions of seconds": ("2017-03-04 00:00:00.000", "2017-04-13 00:00:00.000"),
}


@pytest.mark.parametrize("kind", FORTY_DAYS)
def test_days_between(tmp_path, kind):
    first, none, second = listing_of(
        tmp_path, FORTY_DAYS[kind][0], "NaT", FORTY_DAYS[kind][1]
    ).items
    assert second.day - first.day == 40
    assert math.isnan(none.day)


def test_hours_are_kept(tmp_path):
    first, second = listing_of(tmp_path, "2017-03-04 06:00", "2017-03-04 18:00:00").items
    assert second.day - first.day == 0.5


@pytest.mark.parametrize(("order", "days"), [("day_first", 30), ("month_first", 1)])
def test_dates_that_can_be_read_in_two_ways(tmp_path, order, days):
    with pytest.raises(TableError, match=r"\(line 2\).*--dates=day_first or --dates=month_first"):
        listing_of(tmp_path, "03/04/2017", "03/05/2017")
    first, second = listing_of(tmp_path, "03/04/2017", "03/05/2017", dates=order).items
    assert second.day - first.day == days


def test_dates_of_both_orders(tmp_path):
    with pytest.raises(TableError, match="lines 2 and 3 differ"):
        listing_of(tmp_path, "13/04/2017", "04/13/2017")


def test_numbers_beside_dates(tmp_path):
    with pytest.raises(TableError, match=r"dates \(line 3\) and numbers of days \(line 2\)"):
        listing_of(tmp_path, "12", "2017-04-13")


@pytest.mark.parametrize("cell", ["2017-02-30", "31/31/2017", "2017-13-01", "soon"])
def test_what_is_no_date_rejects_its_row(tmp_path, cell):
    listing = listing_of(tmp_path, "2017-04-13", cell, dates="day_first")
    assert [(r.row, r.reason) for r in listing.rejects] == [(3, "day_offset is not a date")]


def test_eight_digits_that_are_no_date_are_a_number(tmp_path):
    first, second = listing_of(tmp_path, "99999998", "99999999").items
    assert second.day - first.day == 1
