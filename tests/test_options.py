# SPDX-License-Identifier: Apache-2.0
"""Configuration values to dataclasses: conversions, and errors that name key, value and remedy."""

import dataclasses
from typing import Literal

import pytest
from ml_collections import ConfigDict

from medst_jax.options import OptionError, parse


@dataclasses.dataclass(frozen=True)
class Inner:
    rate: float = 0.1


@dataclasses.dataclass(frozen=True)
class Outer:
    steps: int
    kind: Literal["a", "b"] = "a"
    sizes: tuple[int, ...] = ()
    pair: tuple[float, float] = (0.0, 1.0)
    limit: int | None = None
    inner: Inner = dataclasses.field(default_factory=Inner)
    table: dict[str, Inner] = dataclasses.field(default_factory=dict)


def test_nested_values_are_converted():
    values = ConfigDict(
        dict(steps=3, sizes=[1, 2], pair=(1, 2), inner=dict(rate=1), table=dict(x=dict(rate=2.0)))
    )
    parsed = parse(Outer, values, "config")
    assert parsed == Outer(3, "a", (1, 2), (1.0, 2.0), None, Inner(1.0), {"x": Inner(2.0)})
    assert isinstance(parsed.inner.rate, float)


@pytest.mark.parametrize(
    "values,message",
    [
        (dict(steps=1, stepz=2), r"config.stepz is not an option; did you mean config.steps\?"),
        (dict(steps=1, zzz=2), "config.zzz is not an option; known: steps, kind"),
        (dict(), "config.steps is required"),
        (dict(steps="x"), "config.steps is 'x'; it must be a int"),
        (dict(steps=True), "config.steps is True"),
        (dict(steps=1, kind="c"), r"config.kind is 'c'; it must be one of \['a', 'b'\]"),
        (dict(steps=1, sizes="12"), "config.sizes is '12'; it must be a tuple"),
        (dict(steps=1, sizes=(1, "b")), r"config.sizes\[1\] is 'b'"),
        (dict(steps=1, pair=(1.0,)), "config.pair has 1 values; it needs 2"),
        (dict(steps=1, inner=dict(rat=1)), "config.inner.rat .*config.inner.rate"),
        (dict(steps=1, inner=3), "config.inner is 3; it must be a mapping"),
        (dict(steps=1, table=dict(x=dict(rate="q"))), "config.table.x.rate is 'q'"),
        (dict(steps=1, limit="a"), "config.limit is 'a'"),
    ],
)
def test_mistakes_are_named(values, message):
    with pytest.raises(OptionError, match=message):
        parse(Outer, values, "config")
