# SPDX-License-Identifier: Apache-2.0
"""Options that earlier records lack: filled, adopted, refused, left out of digests."""

import dataclasses
from typing import Any

import pytest

from medst_jax.added_options import (
    adopt,
    fill_current,
    fill_recorded,
    like_record,
    without_before,
)
from medst_jax.options import before, options_of, parse


@dataclasses.dataclass(frozen=True)
class Mask:
    rate: float = 0.15
    whole: bool = dataclasses.field(default=True, metadata=before(False))


@dataclasses.dataclass(frozen=True)
class Site:
    weight: float = 1.0
    fold: tuple[int, ...] = dataclasses.field(default=(1, 2), metadata=before((0,)))


@dataclasses.dataclass(frozen=True)
class Encoder:
    width: int = 8
    pool: str = dataclasses.field(default="map", metadata=before("mean"))


def encoder(values):
    return {"plain": Encoder, "deep": Encoder(pool="cls")}.get(values.get("name"))


@dataclasses.dataclass(frozen=True)
class Options:
    size: int
    image: dict[str, Any] = dataclasses.field(metadata=options_of(encoder))
    sites: dict[str, Site]
    decode: str = dataclasses.field(default="scaled", metadata=before("full"))
    # A mask of its own, not the class's: filling in `whole` alone would lose its rate.
    mask: Mask = dataclasses.field(default_factory=lambda: Mask(rate=0.45))
    other: Mask | None = None


OLD = {"size": 3, "image": {"name": "plain", "width": 4}, "sites": {"m": {"weight": 2.0}, "c": {}}}


def test_record_without_a_key_stands_for_what_was_done_before():
    filled = fill_recorded(Options, OLD)
    assert filled == {
        "size": 3,
        "image": {"name": "plain", "width": 4, "pool": "mean"},
        "sites": {"m": {"weight": 2.0, "fold": [0]}, "c": {"fold": [0]}},
        "decode": "full",
        "mask": {"rate": 0.45, "whole": False},
    }
    assert parse(Options, filled, "config").mask == Mask(0.45, False)
    assert fill_recorded(Options, filled) == filled
    assert OLD["sites"]["c"] == {}  # the record itself is as it was


def test_new_runs_record_the_defaults_that_they_take():
    filled = fill_current(Options, OLD)
    assert (filled["decode"], filled["image"]["pool"]) == ("scaled", "map")
    assert filled["sites"]["c"] == {"fold": [1, 2]}
    assert filled["mask"] == {"rate": 0.45, "whole": True}
    deep = fill_current(Options, {**OLD, "image": {"name": "deep"}})
    assert deep["image"] == {"name": "deep", "pool": "cls"}


def test_defaults_give_way_to_a_record_that_lacks_the_key():
    listed = fill_current(Options, OLD)  # as configurations that list all options are
    assert adopt(Options, listed, OLD) == adopt(Options, OLD, OLD) == fill_recorded(Options, OLD)
    # A record that has the keys is compared with what is asked for now.
    assert adopt(Options, listed, fill_recorded(Options, OLD)) == listed


def test_what_was_asked_for_is_kept():
    asked = {**OLD, "decode": "fast", "other": {"rate": 0.3, "whole": True}}
    adopted = adopt(Options, asked, OLD)
    assert adopted["decode"] == "fast"
    assert adopted["other"] == {"rate": 0.3, "whole": False}


def test_record_goes_on_lacking_a_key():
    adopted = adopt(Options, OLD, OLD)
    written = like_record(Options, adopted, OLD)
    assert written == {**OLD, "mask": {"rate": 0.45}}
    assert adopt(Options, OLD, written) == adopted
    known = fill_current(Options, OLD)
    assert like_record(Options, known, known) == known


def test_digests_leave_out_what_was_done_before():
    assert without_before(Options, OLD) == OLD
    assert without_before(Options, fill_recorded(Options, OLD)) == {**OLD, "mask": {"rate": 0.45}}
    assert without_before(Options, {**OLD, "decode": "scaled"}) == {**OLD, "decode": "scaled"}


@pytest.mark.parametrize("function", [fill_recorded, fill_current, without_before])
def test_unknown_keys_stay_for_parsing_to_name(function):
    values = {**OLD, "nothing": 1, "image": {"name": "no such"}, "mask": {"rat": 2}}
    found = function(Options, values)
    assert found["nothing"] == 1 and found["image"] == {"name": "no such"}
    assert found["mask"]["rat"] == 2
