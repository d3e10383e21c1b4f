# SPDX-License-Identifier: Apache-2.0
"""A roofline of a compiled GPU module: every kernel at the peak of the matrix units or of the memory.

The compiler for GPUs gives no times. So a kernel counts as long as its products take at the peak rate
or its operands and results at the memory's bandwidth, whichever is longer (Williams et al.,
doi:10.1145/1498765.1498785). Launches, caches, and how near a library comes to the peak are left
out: a real step takes longer.
"""

import math
import re

from medst_jax.plan.execution import executed
from medst_jax.plan.gpus import Gpu
from medst_jax.plan.hlo import Instruction, Module, array_bytes, first_array

# What runs nothing by itself: names of values, control flow whose bodies are counted, collectives.
_FREE = frozenset(
    [
        "parameter",
        "constant",
        "tuple",
        "get-tuple-element",
        "bitcast",
        "while",
        "conditional",
        "call",
        "after-all",
        "domain",
        "partition-id",
        "replica-id",
        "optimization-barrier",
        "add-dependency",
        "async-start",
        "async-update",
        "async-done",
        "all-reduce",
        "all-gather",
        "reduce-scatter",
        "all-to-all",
        "collective-permute",
        "collective-broadcast",
        "ragged-all-to-all",
        "send",
        "recv",
        "infeed",
        "outfeed",
    ]
)
# Of a dot; of a cuBLAS call.
_CONTRACTED = re.compile(r'lhs_contracting_dim(?:s=\{([\d,]*)\}|ensions":\s*\[([\d,\s"]*)\])')
_LABELS = re.compile(r"dim_labels=(\w+)_(\w+)->(\w+)")
# Which operand, or -1 for the result, is the convolution's output and which its kernel.
_CONVOLUTIONS = {
    "__cudnn$convForward": (-1, 1),
    "__cudnn$convBiasActivationForward": (-1, 1),
    "__cudnn$convBackwardInput": (0, 1),
    "__cudnn$convBackwardFilter": (1, -1),
}
_SCORES = re.compile(
    r'"intermediate_tensor_shape":\s*\{[^}]*?"dimensions":\s*\[([\d,\s"]*)\]', re.DOTALL
)


def roofline_seconds(module: Module, gpu: Gpu) -> float:
    """Seconds of a step's kernels on one device, one after the other; collectives not counted."""
    return sum(
        times * kernel_seconds(module, instruction, gpu) for instruction, times in executed(module)
    )


def kernel_seconds(module: Module, instruction: Instruction, gpu: Gpu) -> float:
    """The longer one of a kernel's arithmetic and its traffic; 0 for what is no kernel."""
    if instruction.opcode in _FREE or instruction.opcode.endswith(("-start", "-done")):
        return 0.0
    flops = kernel_flops(module, instruction)
    peak = gpu.peak_flops
    # float32 products take the TF32 units by JAX's default precision, at half of bfloat16's rate.
    if flops and first_array(_operand(module, instruction, 0).shape)[0] == "f32":
        peak /= 2
    return max(flops / peak, kernel_bytes(module, instruction) / gpu.memory_bandwidth)


def kernel_flops(module: Module, instruction: Instruction) -> float:
    """FLOPs of matrix products, convolutions and fused attention; nothing else is counted."""
    if instruction.opcode == "fusion":
        target = instruction.called("calls")
        assert target is not None
        return sum(kernel_flops(module, i) for i in module.computations[target].values())
    if instruction.opcode == "dot":
        return _product_flops(module, instruction)
    if instruction.opcode == "convolution":
        return _convolution_flops(module, instruction, -1, 1)
    match = re.search(r'custom_call_target="([^"]+)"', instruction.attributes)
    target = match[1] if match else ""
    if target in _CONVOLUTIONS:
        return _convolution_flops(module, instruction, *_CONVOLUTIONS[target])
    if target.startswith("__cublas"):
        return _product_flops(module, instruction)
    if target.startswith("__cudnn$fmha"):
        return _attention_flops(module, instruction, backward="Backward" in target)
    return 0.0


def kernel_bytes(module: Module, instruction: Instruction) -> float:
    """Bytes that a kernel reads and writes, each operand and result once.

    Of an operand of which a fusion takes only a slice, and of a result into which it writes one,
    the slice counts. Scratch memory of a library call does not.
    """
    if instruction.opcode == "fusion":
        return _fusion_bytes(module, instruction)
    if instruction.opcode in ("dynamic-slice", "slice", "gather"):
        return 2.0 * array_bytes(instruction.shape)
    if instruction.opcode == "dynamic-update-slice":
        return 2.0 * array_bytes(_operand(module, instruction, 1).shape)
    read = sum(array_bytes(module.by_name[name].shape) for name in instruction.operands)
    if instruction.opcode == "custom-call" and instruction.shape.startswith("("):
        scratch = re.findall(r"[su]8\[\d+\]", instruction.shape)
        return float(read + array_bytes(instruction.shape) - sum(map(array_bytes, scratch)))
    return float(read + array_bytes(instruction.shape))


def _operand(module: Module, instruction: Instruction, index: int) -> Instruction:
    return module.by_name[instruction.operands[index]]


def _product_flops(module: Module, instruction: Instruction) -> float:
    match = _CONTRACTED.search(instruction.attributes)
    assert match is not None
    left = first_array(_operand(module, instruction, 0).shape)[1]
    axes = map(int, re.findall(r"\d+", match[1] or match[2] or ""))
    return 2.0 * math.prod(first_array(instruction.shape)[1]) * math.prod(left[n] for n in axes)


def _convolution_flops(module: Module, instruction: Instruction, output: int, kernel: int) -> float:
    labels = _LABELS.search(instruction.attributes)
    assert labels is not None
    shapes = [
        first_array(instruction.shape if role < 0 else _operand(module, instruction, role).shape)[1]
        for role in (output, kernel)
    ]
    taps = math.prod(shapes[1]) / shapes[1][labels[2].index("o")]
    return 2.0 * math.prod(shapes[0]) * taps


def _attention_flops(module: Module, instruction: Instruction, backward: bool) -> float:
    """Two products forward, five backward (scores once more), each of scores times a head's width."""
    match = _SCORES.search(instruction.attributes)
    assert match is not None
    scores = math.prod(map(int, re.findall(r"\d+", match[1])))
    width = first_array(_operand(module, instruction, 0).shape)[1][-1]
    return (5 if backward else 2) * 2.0 * scores * width


def _fusion_bytes(module: Module, fusion: Instruction) -> float:
    target = fusion.called("calls")
    assert target is not None
    computation = module.computations[target]
    users: dict[str, list[Instruction]] = {}
    for instruction in computation.values():
        for name in instruction.operands:
            users.setdefault(name, []).append(instruction)
    total = 0.0
    for instruction in computation.values():
        if instruction.opcode == "parameter":
            total += _read(instruction, users)
        elif instruction.root:
            parts = instruction.operands if instruction.opcode == "tuple" else (instruction.name,)
            total += sum(_written(computation[part], computation) for part in parts)
    return total


def _read(value: Instruction, users: dict[str, list[Instruction]]) -> float:
    """Bytes of a parameter of a fusion that its users read."""
    whole, parts = float(array_bytes(value.shape)), 0.0
    for user in users.get(value.name, []):
        if user.opcode == "bitcast":
            parts += _read(user, users)
        elif user.opcode in ("dynamic-slice", "slice", "gather") and user.operands[0] == value.name:
            parts += array_bytes(user.shape)
        elif not (user.opcode == "dynamic-update-slice" and user.operands[0] == value.name):
            return whole  # what is updated in place is not read
    return min(whole, parts)


def _written(value: Instruction, computation: dict[str, Instruction]) -> float:
    while value.opcode == "bitcast":
        value = computation[value.operands[0]]
    if value.opcode == "dynamic-update-slice":
        return float(array_bytes(computation[value.operands[1]].shape))
    return float(array_bytes(value.shape))
