# SPDX-License-Identifier: Apache-2.0
"""Compiled modules read back: three scanned 256 x 256 layers on 4 chips, by hand."""

import pathlib
import re

import pytest

from medst_jax.plan.collectives import collectives, summary
from medst_jax.plan.cycles import breakdown, cost
from medst_jax.plan.execution import UnknownTripCountError, executed, trip_count
from medst_jax.plan.hlo import array_bytes, largest_array_bytes, parse_module

DATA = pathlib.Path(__file__).resolve().parent / "data"
LAYERS, WEIGHT_BYTES = 3, 256 * 256 * 2  # bf16


def _module(name):
    return parse_module((DATA / f"{name}.hlo").read_text())


def test_types():
    assert array_bytes("bf16[16,8]{1,0:T(8,128)(2,1)S(1)}") == 256
    assert array_bytes("(f32[2,3]{1,0}, /*index=1*/u32[]{:S(2)}, pred[5], token[])") == 24 + 4 + 5
    assert largest_array_bytes("(f32[2,3], bf16[100], u32[])") == 200
    assert array_bytes("()") == 0


def test_instructions():
    module = _module("scan_dp")
    loops = [i for i in module.instructions() if i.opcode == "while"]
    assert len(loops) == 2
    for loop in loops:
        assert loop.called("body") in module.computations
        assert loop.called("condition") in module.computations
        assert loop.shape.startswith("(") and len(loop.operands) == 1
    assert module.entry.startswith("main")
    assert sum(i.root for i in module.computations[module.entry].values()) == 1


def test_no_module_is_an_error():
    with pytest.raises(ValueError, match="no ENTRY computation"):
        parse_module("module @jit_f { func.func public @main }")


def _loops(module):
    return [
        trip_count(module, i, around)
        for around in module.computations.values()
        for i in around.values()
        if i.opcode == "while"
    ]


def test_trip_counts():
    assert _loops(_module("scan_dp")) == [LAYERS, LAYERS]
    # The compiler took the first backward iteration out of the loop, to overlap it with DCN.
    assert _loops(_module("scan_two_slices")) == [LAYERS, LAYERS - 1]


def test_a_loop_without_a_constant_bound_is_named():
    text = (DATA / "scan_dp.hlo").read_text()
    module = parse_module(re.sub(r"s32\[\]\{:T\(128\)\} constant\(3\)", "s32[] parameter(1)", text))
    with pytest.raises(UnknownTripCountError, match=r"loop while.\d+: its condition"):
        _loops(module)


@pytest.mark.parametrize("name", ["scan_dp", "scan_fsdp", "scan_two_slices"])
def test_cycles_are_loop_bodies_times_their_trips(name):
    module = _module(name)
    by_computation = {
        computation: sum(i.number("estimated_cycles") or 0 for i in instructions.values())
        for computation, instructions in module.computations.items()
    }
    expected = by_computation[module.entry]
    for around in module.computations.values():
        for loop in around.values():
            if loop.opcode == "while":
                expected += trip_count(module, loop, around) * by_computation[loop.called("body")]
    assert cost(module).cycles == expected > 0
    assert sum(row.cost for row in breakdown(module)) == expected
    assert not cost(module).silent_kernels


def test_fusions_are_not_entered():
    module = _module("scan_dp")
    inner = {i.called("calls") for i, _ in executed(module) if i.opcode == "fusion"}
    names = {i.name for name in inner for i in module.computations[name].values()}
    assert inner and not names & {i.name for i, _ in executed(module)}


def test_breakdown_tells_forward_from_backward():
    origins = {row.origin.split("/")[0] for row in breakdown(_module("scan_dp"))}
    assert {"forward", "backward"} <= origins


def test_kernels_cost_what_they_declare():
    call = (
        '  %k = f32[8]{0} custom-call(%p), custom_call_target="tpu_custom_call"'
        ', backend_config={"custom_call_config":{"cost_estimate":{"flops":1000,'
        '"transcendentals":0,"bytes_accessed":64}}}\n'
    )
    silent = '  ROOT %s = f32[8]{0} custom-call(%k), custom_call_target="tpu_custom_call"\n'
    module = parse_module(
        "ENTRY %main (p: f32[8]) -> f32[8] {\n  %p = f32[8]{0} parameter(0)\n"
        + call
        + silent
        + "}\n"
    )
    found = cost(module)
    assert (found.cycles, found.kernel_flops, found.silent_kernels) == (0, 1000, ("s",))


def _kinds(name, partitions, slices=1):
    found = summary(collectives(_module(name), partitions, slices))
    return {(f["kind"], f["network"]): (f["count"], f["bytes"]) for f in found}


def test_data_parallel_gradients_are_reduced_once_per_layer():
    sent = LAYERS * 2 * WEIGHT_BYTES * 3 // 4
    assert _kinds("scan_dp", 4) == {("all-reduce", "ici"): (LAYERS, sent)}


def test_fsdp_gathers_twice_and_scatters_once_per_layer():
    part = WEIGHT_BYTES * 3 // 4
    assert _kinds("scan_fsdp", 4) == {
        ("all-gather", "ici"): (2 * LAYERS, 2 * LAYERS * part),
        ("reduce-scatter", "ici"): (LAYERS, LAYERS * part),
    }


def test_between_slices_goes_a_quarter_of_each_gradient():
    found = _kinds("scan_two_slices", 8, 2)
    # Each of 4 chips of a slice sends its quarter; two slices exchange 2 (n - 1) / n = 1 of it.
    assert found["all-reduce", "dcn"] == (LAYERS, LAYERS * WEIGHT_BYTES // 4)
    assert found["all-reduce", "ici"][0] == found["all-gather", "ici"][0] == LAYERS


@pytest.mark.parametrize(
    ("groups", "kind", "shape", "sent"),
    [
        ("replica_groups={{0,1},{2,3}}", "all-gather", "f32[8]", 16),
        ("replica_groups=[2,2]<=[4]", "all-gather", "f32[8]", 16),
        ("replica_groups=[2,2]<=[2,2]T(1,0)", "all-to-all", "f32[8]", 16),
        ("replica_groups=mesh['a'=2,'b'=2] {'b'}", "all-reduce", "f32[8]", 32),
        ("replica_groups={{0,1,2,3}}", "reduce-scatter", "f32[2]", 24),
        ("source_target_pairs={{0,1},{1,0}}", "collective-permute", "f32[8]", 32),
    ],
)
def test_bytes_by_kind_and_group(groups, kind, shape, sent):
    module = parse_module(
        "ENTRY %main (p: f32[8]) -> f32[8] {\n  %p = f32[8]{0} parameter(0)\n"
        f"  ROOT %c = {shape}{{0}} {kind}(%p), channel_id=1, {groups}, to_apply=%add\n}}\n"
    )
    (found,) = collectives(module, 4)
    assert (found.kind, found.times, found.bytes) == (kind, 1, sent)


def test_groups_of_one_send_nothing():
    module = parse_module(
        "ENTRY %main (p: f32[8]) -> f32[8] {\n  %p = f32[8]{0} parameter(0)\n"
        "  ROOT %c = f32[8]{0} all-reduce(%p), replica_groups={{0},{1}}, to_apply=%add\n}\n"
    )
    assert collectives(module, 2) == []


def test_collectives_that_share_a_channel_all_count():
    # As `psum_scatter` over one axis and then another compiles.
    module = parse_module(
        "ENTRY %main (p: f32[8]) -> f32[2] {\n  %p = f32[8]{0} parameter(0)\n"
        "  %a = f32[4]{0} reduce-scatter(%p), channel_id=1, replica_groups={{0,1},{2,3}}\n"
        "  ROOT %b = f32[2]{0} reduce-scatter(%a), channel_id=1, replica_groups={{0,2},{1,3}}\n}\n"
    )
    assert [one.bytes for one in collectives(module, 4)] == [16, 8]


def test_an_asynchronous_collective_counts_once_however_long_it_runs():
    # It starts, a loop of three iterations goes on with it, and it ends.
    gather = "channel_id=7, replica_groups={{0,1}}, dimensions={0}\n}\n"
    module = parse_module(
        "%begin (p: f32[4]) -> f32[8] {\n  %p = f32[4]{0} parameter(0)\n"
        f"  ROOT %g1 = f32[8]{{0}} all-gather(%p), {gather}"
        "%async_collective_fusion.1 (p: f32[4]) -> f32[8] {\n  %p = f32[4]{0} parameter(0)\n"
        f"  ROOT %g2 = f32[8]{{0}} all-gather(%p), {gather}"
        "%end (p: f32[4]) -> f32[8] {\n  %p = f32[4]{0} parameter(0)\n"
        f"  ROOT %g3 = f32[8]{{0}} all-gather(%p), {gather}"
        "%body (s: (s32[], f32[4])) -> (s32[], f32[4]) {\n"
        "  %s = (s32[], f32[4]{0}) parameter(0)\n"
        "  %x = f32[4]{0} get-tuple-element(%s), index=1\n"
        "  %step = f32[8]{0} fusion(%x), calls=%async_collective_fusion.1\n"
        "  ROOT %t = (s32[], f32[4]{0}) tuple(%s, %x)\n}\n"
        "%condition (s: (s32[], f32[4])) -> pred[] {\n"
        "  %s = (s32[], f32[4]{0}) parameter(0)\n"
        "  %n = s32[] get-tuple-element(%s), index=0\n  %three = s32[] constant(3)\n"
        "  ROOT %less = pred[] compare(%n, %three), direction=LT\n}\n"
        "ENTRY %main (p: f32[4]) -> f32[8] {\n  %p = f32[4]{0} parameter(0)\n"
        "  %async-collective-start = f32[8]{0} fusion(%p), calls=%begin\n"
        "  %zero = s32[] constant(0)\n  %init = (s32[], f32[4]{0}) tuple(%zero, %p)\n"
        "  %loop = (s32[], f32[4]{0}) while(%init), condition=%condition, body=%body\n"
        "  ROOT %async-collective-done = f32[8]{0} fusion(%p), calls=%end\n}\n"
    )
    (found,) = collectives(module, 2)
    assert (found.kind, found.times, found.bytes) == ("all-gather", 1, 16)


@pytest.mark.parametrize(
    ("groups", "members"),
    [
        ("mesh['a'=2,'b'=3] {'b'}", (0, 1, 2)),
        ("mesh['a'=2,'b'=3] {'a'}", (0, 3)),
        # The mesh's order is not that of the partitions.
        ("mesh['a'=3,'b'=2], device_ids=([2,3]T(1,0)) {'b'}", (0, 3)),
        ("mesh['a'=3,'b'=2], device_ids=([2,3]T(1,0)) {'a'}", (0, 1, 2)),
        ("mesh['a'=3,'b'=1,'c'=2], device_ids=([2,3]T(1,0)) {'a','b'}", (0, 1, 2)),
        ("[2,3]<=[3,2]T(1,0)", (0, 2, 4)),
        ("{}", (0, 1, 2, 3, 4, 5)),
    ],
)
def test_members_of_the_first_group(groups, members):
    (found,) = collectives(_reduction(groups), 6)
    assert found.group == members


def test_groups_that_cannot_be_read_are_an_error():
    with pytest.raises(ValueError, match=r"all-reduce c: cannot read .*'a':\(2\)2"):
        collectives(_reduction("mesh['a'=6] {'a':(2)2}"), 6)


def _reduction(groups):
    return parse_module(
        "ENTRY %main (p: f32[8]) -> f32[8] {\n  %p = f32[8]{0} parameter(0)\n"
        f"  ROOT %c = f32[8]{{0}} all-reduce(%p), channel_id=1, replica_groups={groups}\n}}\n"
    )
