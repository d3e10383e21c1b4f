# SPDX-License-Identifier: Apache-2.0
"""Links of a topology, and how estimates move with slices and shards."""

import dataclasses
import pathlib

import pytest

from medst_jax.plan.chips import CHIPS
from medst_jax.plan.collectives import collectives
from medst_jax.plan.cycles import cost
from medst_jax.plan.estimate import compute_seconds, estimate
from medst_jax.plan.hlo import parse_module
from medst_jax.plan.network import dcn_seconds, group_bandwidth, ici_seconds
from medst_jax.plan.topology import Topology

DATA = pathlib.Path(__file__).resolve().parent / "data"


@dataclasses.dataclass(frozen=True)
class FakeDevice:
    coords: tuple[int, ...]
    process_index: int
    slice_index: int = 0


def _topology(chip: str, *shape: int, slices: int = 1) -> Topology:
    places = [()]
    for length in shape:
        places = [(*p, n) for p in places for n in range(length)]
    devices = [
        FakeDevice(place, (s * len(places) + n) // 4, s)
        for s in range(slices)
        for n, place in enumerate(places)
    ]
    return Topology("fake", CHIPS[chip], tuple(devices), slices)


@pytest.mark.parametrize(
    ("chip", "shape", "group", "links"),
    [
        ("v5e", (4, 4, 1), slice(None), 2),  # two open lines
        ("v5e", (4, 4, 1), slice(0, 4), 1),  # one line
        ("v5e", (16, 16, 1), slice(None), 4),  # two rings
        ("v5e", (16, 16, 1), slice(0, 16), 2),  # one ring
        ("v5p", (4, 4, 4), slice(None), 6),
        ("v5p", (2, 2, 2), slice(None), 3),
    ],
)
def test_links_of_a_group(chip, shape, group, links):
    topology = _topology(chip, *shape)
    got = group_bandwidth(topology.devices[group], shape, topology.chip)
    assert got == links * topology.chip.link_bandwidth


def _estimate(name: str, topology: Topology):
    module = parse_module((DATA / f"{name}.hlo").read_text())
    found = collectives(module, len(topology.devices), topology.slices)
    compute = compute_seconds(cost(module), topology.chip)
    return estimate(compute, found, topology.devices, topology, 1e6), found


def test_seconds_are_bytes_over_links():
    topology = _topology("v5e", 2, 2, 1)
    made, found = _estimate("scan_dp", topology)
    sent = 3 * 2 * 256 * 256 * 2 * 3 / 4
    assert made.ici_seconds == pytest.approx(sent / (2 * 4.5e10))
    assert ici_seconds(found, topology.devices, topology) == made.ici_seconds
    assert made.dcn_seconds == 0.0
    # The compiler found nothing to do beside it.
    assert made.ici_blocking_seconds == made.ici_seconds
    assert made.step_seconds_low == max(made.compute_seconds, made.ici_seconds)
    assert made.step_seconds_high == made.compute_seconds + made.ici_seconds
    assert made.mfu_low < made.mfu_high <= 1.0


def test_what_is_begun_and_awaited_apart_does_not_block():
    topology = _topology("v5e", 2, 2, 1)

    def blocking(*bodies: str) -> tuple[float, float]:
        text = "\n".join(f"  %c{n} = {body}" for n, body in enumerate(bodies))
        module = parse_module(f"ENTRY %main (p: f32[8]) -> f32[8] {{\n{text}\n}}\n")
        made = estimate(1e-3, collectives(module, 4), topology.devices, topology, 1e6)
        return made.ici_blocking_seconds, made.ici_seconds

    gather = "replica_groups={{0,1,2,3}}, dimensions={0}"
    plain = f"f32[4000000]{{0}} all-gather(%p), channel_id=1, {gather}"
    begun = f"(f32[1000000]{{0}}, f32[4000000]{{0}}) all-gather-start(%p), channel_id=2, {gather}"
    waited, sent = blocking(plain)
    assert waited == pytest.approx(sent) and sent == pytest.approx(12e6 / 9e10)
    assert blocking(begun) == (0.0, pytest.approx(sent))
    assert blocking(plain, begun) == (pytest.approx(sent), pytest.approx(2 * sent))


def test_a_second_slice_costs_time_on_the_data_centre_network():
    one, _ = _estimate("scan_dp", _topology("v5e", 2, 2, 1))
    topology = _topology("v5e", 2, 2, 1, slices=2)
    two, found = _estimate("scan_two_slices", topology)
    # Four chips share a host's connection.
    assert two.dcn_seconds == pytest.approx(3 * 256 * 256 * 2 / 4 * 4 / 2.5e10)
    assert dcn_seconds(found, topology.devices, topology) == two.dcn_seconds
    assert two.step_seconds_high > one.step_seconds_high
    assert two.step_seconds_low >= one.step_seconds_low


def test_clocks_are_derived_from_peaks():
    clocks = {name: chip.clock / 1e9 for name, chip in CHIPS.items()}
    expected = {"v4": 1.05, "v5e": 1.5, "v5p": 1.75, "v6e": 1.75, "tpu7x": 2.2}
    assert clocks == {name: pytest.approx(value, rel=0.01) for name, value in expected.items()}
