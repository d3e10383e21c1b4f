# SPDX-License-Identifier: Apache-2.0
"""The roofline of a GPU module, by hand: products, convolutions, attention, slices, loops."""

import pathlib

import pytest

from medst_jax.plan.collectives import collectives, summary
from medst_jax.plan.estimate import ROOFLINE, estimate, program_seconds, seconds_by_place
from medst_jax.plan.execution import executed
from medst_jax.plan.gpus import GPUS
from medst_jax.plan.hlo import parse_module, tuple_parts
from medst_jax.plan.roofline import kernel_bytes, kernel_flops, kernel_seconds, roofline_seconds
from medst_jax.plan.topology import Topology
from tests.plan.test_network import FakeDevice

DATA = pathlib.Path(__file__).resolve().parent / "data"
H100 = GPUS["h100"]
LAYERS, WIDTH = 3, 256


def _entry(*lines: str, before: str = ""):
    body = "\n".join(f"  {line}" for line in lines)
    return parse_module(f"{before}ENTRY %main (p: f32[8]) -> f32[8] {{\n{body}\n}}\n")


def _last(module):
    return list(module.computations["main"].values())[-1]


def _topology(nodes: int, per_node: int) -> Topology:
    devices = [FakeDevice((n,), n // per_node) for n in range(nodes * per_node)]
    return Topology("h100", H100, tuple(devices), 1)


def test_a_cublas_call_is_a_product_and_its_scratch_is_no_traffic():
    module = _entry(
        "%a = bf16[24,64,32]{2,1,0} parameter(0)",
        "%b = bf16[24,32,16]{2,1,0} parameter(1)",
        "ROOT %c = (bf16[24,64,16]{2,1,0}, s8[33554432]{0}) custom-call(%a, %b), "
        'custom_call_target="__cublas$lt$matmul", backend_config={"gemm_backend_config":'
        '{"dot_dimension_numbers":{"lhs_contracting_dimensions":["2"],'
        '"rhs_contracting_dimensions":["1"],"lhs_batch_dimensions":["0"]}}}',
    )
    call = _last(module)
    assert kernel_flops(module, call) == 2 * 24 * 64 * 32 * 16
    assert kernel_bytes(module, call) == 2 * 24 * (64 * 32 + 32 * 16 + 64 * 16)


@pytest.mark.parametrize(("kind", "rate"), [("bf16", 1.0), ("f32", 0.5)])
def test_float32_products_run_at_half_the_rate(kind, rate):
    module = _entry(
        f"%a = {kind}[8192,8192]{{1,0}} parameter(0)",
        f"ROOT %c = {kind}[8192,8192]{{1,0}} dot(%a, %a), lhs_contracting_dims={{1}}, "
        "rhs_contracting_dims={0}",
    )
    expected = 2 * 8192**3 / (rate * H100.peak_flops)
    assert kernel_seconds(module, _last(module), H100) == pytest.approx(expected)


# Images [16, 56, 56, 64], kernels 3 x 3 of 128, stride 2.
_IMAGES, _KERNEL, _OUTPUT = "bf16[16,56,56,64]", "bf16[128,3,3,64]", "bf16[16,28,28,128]"


@pytest.mark.parametrize(
    ("target", "operands", "result"),
    [
        ("__cudnn$convForward", (_IMAGES, _KERNEL), _OUTPUT),
        ("__cudnn$convBackwardInput", (_OUTPUT, _KERNEL), _IMAGES),
        ("__cudnn$convBackwardFilter", (_IMAGES, _OUTPUT), _KERNEL),
    ],
)
def test_convolutions_cost_the_same_in_all_directions(target, operands, result):
    module = _entry(
        *(f"%a{n} = {shape}{{3,2,1,0}} parameter({n})" for n, shape in enumerate(operands)),
        f"ROOT %c = ({result}{{3,2,1,0}}, u8[0]{{0}}) custom-call(%a0, %a1), window={{size=3x3 "
        f'stride=2x2 pad=1_1x1_1}}, dim_labels=b01f_o01i->b01f, custom_call_target="{target}"',
    )
    assert kernel_flops(module, _last(module)) == 2 * 16 * 28 * 28 * 128 * 3 * 3 * 64
    sizes = 16 * 56 * 56 * 64 + 128 * 9 * 64 + 16 * 28 * 28 * 128
    assert kernel_bytes(module, _last(module)) == 2 * sizes


@pytest.mark.parametrize(("target", "products"), [("fmhaSoftmax", 2), ("fmhaSoftmaxBackward", 5)])
def test_fused_attention_reads_no_scores(target, products):
    module = _entry(
        "%q = bf16[8,196,12,64]{3,2,1,0} parameter(0)",
        "ROOT %c = (bf16[8,12,196,64]{3,1,2,0}, u8[0]{0}) custom-call(%q, %q, %q), "
        f'custom_call_target="__cudnn${target}", backend_config={{"cudnn_fmha_backend_config": '
        '{"algorithm": {"algo_id": "0"}, "intermediate_tensor_shape": {"element_type": "BF16", '
        '"dimensions": ["8", "12", "196", "196"], "tuple_shapes": []}, '
        '"bmm1_dot_dimension_numbers": {"lhs_contracting_dimensions": ["3"]}}}',
    )
    assert kernel_flops(module, _last(module)) == products * 2 * 8 * 12 * 196 * 196 * 64
    assert kernel_bytes(module, _last(module)) == 4 * 2 * 8 * 196 * 12 * 64


def test_of_a_stack_only_the_slice_is_read_and_written():
    fused = (
        "%f (s: bf16[12,8,4], n: s32[], x: bf16[8,4]) -> bf16[12,8,4] {\n"
        "  %s = bf16[12,8,4]{2,1,0} parameter(0)\n  %n = s32[] parameter(1)\n"
        "  %x = bf16[8,4]{1,0} parameter(2)\n  %z = s32[] constant(0)\n"
        "  %old = bf16[1,8,4]{2,1,0} dynamic-slice(%s, %n, %z, %z), dynamic_slice_sizes={1,8,4}\n"
        "  %new = bf16[1,8,4]{2,1,0} bitcast(%x)\n"
        "  %sum = bf16[1,8,4]{2,1,0} add(%old, %new)\n"
        "  %put = bf16[12,8,4]{2,1,0} dynamic-update-slice(%s, %sum, %n, %z, %z)\n"
        "  ROOT %r = bf16[12,8,4]{2,1,0} bitcast(%put)\n}\n"
    )
    module = _entry(
        "%a = bf16[12,8,4]{2,1,0} parameter(0)",
        "%i = s32[] parameter(1)",
        "%b = bf16[8,4]{1,0} parameter(2)",
        "ROOT %c = bf16[12,8,4]{2,1,0} fusion(%a, %i, %b), kind=kLoop, calls=%f",
        before=fused,
    )
    # The old slice, the counter and the new values are read; the slice is written.
    assert kernel_bytes(module, _last(module)) == 64 + 4 + 64 + 64


def test_names_of_values_take_no_time():
    module = _entry(
        "%a = bf16[4096,4096]{1,0} parameter(0)",
        "%b = bf16[16777216]{0} bitcast(%a)",
        "ROOT %t = (bf16[16777216]{0}) tuple(%b)",
    )
    assert roofline_seconds(module, H100) == 0.0


def test_loop_bodies_count_for_each_iteration():
    module = parse_module((DATA / "gpu_scan_fsdp.hlo").read_text())
    # 64 rows of each of 4 GPUs: a product forward, two backward.
    flops = sum(times * kernel_flops(module, one) for one, times in executed(module))
    assert flops == LAYERS * 3 * 2 * 64 * WIDTH * WIDTH
    seconds, notes = program_seconds(module, _topology(1, 4))
    assert seconds == roofline_seconds(module, H100) > flops / H100.peak_flops
    assert notes == [ROOFLINE]
    places = seconds_by_place(module, _topology(1, 4))
    assert sum(row.cost for row in places) == pytest.approx(seconds)
    assert {"forward", "backward"} <= {row.origin.split("/")[0] for row in places}


def test_parameters_in_parts_are_gathered_twice_and_scattered_once_per_layer():
    module = parse_module((DATA / "gpu_scan_fsdp.hlo").read_text())
    part = WIDTH * WIDTH * 2 * 3 // 4
    assert summary(collectives(module, 4, nodes=[0] * 4)) == [
        {"kind": "all-gather", "network": "ici", "count": 6, "bytes": 6 * part},
        {"kind": "reduce-scatter", "network": "ici", "count": 3, "bytes": 3 * part},
    ]


def test_between_nodes_goes_what_a_group_of_several_nodes_exchanges():
    module, topology = parse_module((DATA / "gpu_scan_two_nodes.hlo").read_text()), _topology(2, 4)
    nodes = [device.process_index for device in topology.devices]
    found = collectives(module, 8, nodes=nodes)
    # A quarter of each gradient is left after the node's reduce-scatter; two nodes exchange it.
    quarter = WIDTH * WIDTH * 2 // 4
    between = [one for one in found if one.network == "dcn"]
    assert [(one.kind, one.times, one.bytes) for one in between] == [("all-reduce", 3, quarter)]
    made = estimate(1e-3, found, topology.devices, topology, 1e6)
    # One GPU of each node: it has its own adapter.
    assert made.dcn_seconds == pytest.approx(3 * quarter / H100.rail)
    within = 9 * WIDTH * WIDTH * 2 * 3 / 4
    assert made.ici_seconds == pytest.approx(within / H100.nvlink)
    assert 0 < made.ici_blocking_seconds < made.ici_seconds


def test_a_ring_through_whole_nodes_has_all_their_adapters():
    topology = _topology(2, 4)
    module = _entry(
        "%p = f32[1000]{0} parameter(0)",
        "%s = f32[1000]{0} all-reduce-start(%p), replica_groups={{0,1,2,3,4,5,6,7}}",
        "ROOT %d = f32[1000]{0} all-reduce-done(%s)",
    )
    nodes = [device.process_index for device in topology.devices]
    found = collectives(module, 8, nodes=nodes)
    made = estimate(0.0, found, topology.devices, topology, 1e6)
    assert made.dcn_seconds == pytest.approx(2 * 4000 * 7 / 8 / (4 * H100.rail))
    assert found[0].blocking


@pytest.mark.parametrize(
    ("kind", "shape", "sent"),
    [
        ("all-reduce", "(f32[10]{0}, f32[30]{0})", 2 * 160 * 3 / 4),
        ("all-gather", "((f32[10]{0}, s32[5]{0}), (f32[40]{0}, s32[20]{0}))", 240 * 3 / 4),
        ("reduce-scatter", "((f32[40]{0}), f32[10]{0})", 40 * 3),
        ("all-to-all", "((f32[8,4]{1,0:T(8,128)}), f32[8,4]{1,0:T(8,128)})", 128 * 3 / 4),
    ],
)
def test_a_start_sends_its_result_and_not_its_operands(kind, shape, sent):
    module = _entry(
        "%p = f32[8]{0} parameter(0)",
        f"ROOT %s = {shape} {kind}-start(%p), replica_groups={{{{0,1,2,3}}}}",
    )
    (found,) = collectives(module, 4, nodes=[0] * 4)
    assert (found.kind, found.network, found.bytes) == (kind, "ici", sent)


@pytest.mark.parametrize(("rows", "blocking"), [(4, True), (4096, False)])
def test_work_between_start_and_end_hides_a_collective(rows, blocking):
    module = _entry(
        "%p = f32[8]{0} parameter(0)",
        "%s = f32[8]{0} all-reduce-start(%p), replica_groups={{0,1}}",
        f"%w = f32[{rows},8]{{1,0}} fusion(%p), kind=kLoop, calls=%f",
        "ROOT %d = f32[8]{0} all-reduce-done(%s)",
        before="%f (p: f32[8]) -> f32[4,8] {\n  ROOT %p2 = f32[8]{0} parameter(0)\n}\n",
    )
    (found,) = collectives(module, 2, nodes=[0, 0])
    assert found.blocking is blocking


def test_parts_of_tuples():
    assert tuple_parts("(f32[2,3]{1,0:T(8,128)(2,1)}, /*index=1*/u32[])") == [
        "f32[2,3]{1,0:T(8,128)(2,1)}",
        "/*index=1*/u32[]",
    ]
    assert tuple_parts("f32[2,3]{1,0}") == ["f32[2,3]{1,0}"] and tuple_parts("()") == []
