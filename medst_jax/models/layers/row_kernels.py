# SPDX-License-Identifier: Apache-2.0
"""TPU kernels of attention over flat rows: the layout in which a projection leaves and takes values.

Rows of examples lie back to back, [B * L, ...], without padding. Columns of the fused projection are
ordered (pair of heads; query, key, value; head; 64), see `ordered`: a program takes one block of 384
lanes of a few examples and writes one of 128. Nothing is transposed outside, and no scores leave the chip.

Every example is read as the smallest window of rows that begins and ends at a multiple of 8; rows
of its neighbours in it are left out. All (example, head) units of a program go through each stage
together, which fills the matrix and the vector units at once. Scores are kept transposed, keys
first: maxima and sums over keys are then sums of vectors.

Method: Dao et al. 2022 (arXiv:2205.14135), algorithm 4, for whole rows of scores.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

HEAD = 64  # values of a head; two heads fill the 128 lanes of a block
_PAIR, _LANES = 2, 2 * HEAD
_ALIGNED = 8  # rows of a register
_MASKED = (
    -1e9
)  # as in plain attention: exp of it is 0, and a row without any valid key stays finite
_ROWS = 500  # a program has about so many, and four examples at least


@dataclasses.dataclass(frozen=True)
class _Window:
    """The rows of a program's block that hold one example.

    first, rows: aligned; offset: where in them the example begins; length: of the example.
    """

    first: int
    rows: int
    offset: int
    length: int

    def own(self, values: jax.Array, fill: float) -> jax.Array:
        """`values` [rows, ...] with `fill` in the rows of neighbours, which the ends alone can hold."""
        behind = self.rows - self.offset - self.length
        row = lax.broadcasted_iota(jnp.int32, (_ALIGNED, 1), 0)
        parts = [values]
        if self.offset:
            parts = [jnp.where(row >= self.offset, values[:_ALIGNED], fill), values[_ALIGNED:]]
        if behind:
            last = parts.pop()
            end = jnp.where(row < _ALIGNED - behind, last[-_ALIGNED:], fill)
            parts += [last[:-_ALIGNED], end]
        return parts[0] if len(parts) == 1 else jnp.concatenate(parts, axis=0)


def examples_per_program(length: int) -> int:
    """How many examples a program takes: a number whose rows are a multiple of 8."""
    step = _ALIGNED // math.gcd(length, _ALIGNED)
    return step * max(math.ceil(4 / step), math.ceil(_ROWS / (length * step)))


def _windows(length: int) -> list[_Window]:
    count = examples_per_program(length)
    pieces = []
    for number in range(count):
        start = number * length
        first = start // _ALIGNED * _ALIGNED
        end = min(pl.cdiv(start + length, _ALIGNED) * _ALIGNED, count * length)
        pieces.append(_Window(first, end - first, start - first, length))
    return pieces


def ordered(weights: jax.Array) -> jax.Array:
    """Kernel or bias [..., 3, H, 64] of a projection as [..., 3 * H * 64], in the kernels' order."""
    *lead, three, heads, size = weights.shape
    pairs = weights.reshape(*lead, three, heads // _PAIR, _PAIR * size)
    return jnp.moveaxis(pairs, -3, -2).reshape(*lead, three * heads * size)


def forward(
    qkv: jax.Array,
    bias: jax.Array,
    mask: jax.Array | None,
    *,
    length: int,
    interpret: bool = False,
) -> tuple[jax.Array, jax.Array]:
    """Attention of each example's tokens to one another.

    Args:
      qkv: [B * L, 3 * D] in the kernels' order; B is a multiple of `examples_per_program(length)`.
      bias: float32 [1, D] of the queries.
      mask: float32 [B * L, 1], positive where a token may be attended to; None for all.
      length: L.
      interpret: compute on any device, for tests.

    Returns:
      [B * L, D], and the logarithms of the sums of powers of the scores for `backward`.
    """
    blocks = _Blocks(qkv, length)

    def program(*refs: Any) -> None:
        qkv_ref, bias_ref, *masks, out_ref, sums_ref = refs
        _attend(qkv_ref, bias_ref, masks[0] if masks else None, out_ref, sums_ref, length)

    return pl.pallas_call(
        program,
        grid=blocks.grid,
        in_specs=[blocks.wide, blocks.of_columns, *blocks.masks(mask)],
        out_specs=[blocks.narrow, blocks.sums],
        out_shape=[
            jax.ShapeDtypeStruct((len(qkv), blocks.width), qkv.dtype),
            blocks.sums_shape,
        ],
        cost_estimate=blocks.cost(products=2, values=4),
        compiler_params=_COMPILER,
        interpret=interpret,
        name="attention_forward",
    )(qkv, bias, *_present(mask))


def backward(
    qkv: jax.Array,
    bias: jax.Array,
    mask: jax.Array | None,
    sums: jax.Array,
    gradient: jax.Array,
    *,
    length: int,
    interpret: bool = False,
) -> tuple[jax.Array, jax.Array]:
    """Gradients of `forward` by `qkv`, as it lies, and by `bias`, float32 [1, D].

    Args:
      qkv, bias, mask, length, interpret: as of the call.
      sums: its second result.
      gradient: [B * L, D], of its first one.
    """
    blocks = _Blocks(qkv, length)

    def program(*refs: Any) -> None:
        qkv_ref, bias_ref, *masks, sums_ref, gradient_ref, out_ref, bias_out_ref = refs
        given = qkv_ref, bias_ref, masks[0] if masks else None, sums_ref, gradient_ref
        _differentiate(*given, out_ref, bias_out_ref, length)

    by_qkv, by_bias = pl.pallas_call(
        program,
        grid=blocks.grid,
        in_specs=[
            blocks.wide,
            blocks.of_columns,
            *blocks.masks(mask),
            blocks.sums,
            blocks.narrow,
        ],
        out_specs=[blocks.wide, pl.BlockSpec((1, 1, _LANES), lambda b, h: (b, 0, h))],
        out_shape=[
            jax.ShapeDtypeStruct(qkv.shape, qkv.dtype),
            jax.ShapeDtypeStruct((blocks.grid[0], 1, blocks.width), jnp.float32),
        ],
        cost_estimate=blocks.cost(products=5, values=7),
        compiler_params=_COMPILER,
        interpret=interpret,
        name="attention_backward",
    )(qkv, bias, *_present(mask), sums, gradient)
    return by_qkv, jnp.sum(by_bias, axis=0)


_COMPILER = pltpu.CompilerParams(dimension_semantics=("parallel", "parallel"))


def _present(mask: jax.Array | None) -> list[jax.Array]:
    return [] if mask is None else [mask]


class _Blocks:
    """How arrays are cut into the blocks of the programs: groups of examples by pairs of heads."""

    def __init__(self, qkv: jax.Array, length: int) -> None:
        examples = examples_per_program(length)
        rows, self.width = examples * length, qkv.shape[1] // 3
        self._batch, self._length = len(qkv) // length, length
        if len(qkv) % rows or self.width % _LANES:
            raise ValueError(
                f"{self._batch} examples and a width of {self.width} do not fit kernels of {examples} "
                f"examples and {_LANES} columns at a time"
            )
        self.grid = (len(qkv) // rows, self.width // _LANES)
        longest = max(window.rows for window in _windows(length))
        self.wide = pl.BlockSpec((rows, 3 * _LANES), lambda b, h: (b, h))
        self.narrow = pl.BlockSpec((rows, _LANES), lambda b, h: (b, h))
        self.of_columns = pl.BlockSpec((1, _LANES), lambda b, h: (0, h))
        self.sums = pl.BlockSpec((1, examples * _PAIR, longest), lambda b, h: (h, b, 0))
        self.sums_shape = jax.ShapeDtypeStruct(
            (self.grid[1], self._batch * _PAIR, longest), jnp.float32
        )
        self._mask = pl.BlockSpec((rows, 1), lambda b, h: (b, 0))

    def masks(self, mask: jax.Array | None) -> list[pl.BlockSpec]:
        """The mask's blocks, if there is one."""
        return [] if mask is None else [self._mask]

    def cost(self, products: int, values: int) -> pl.CostEstimate:
        """So many products of a score's size, and bfloat16 values of a row's width read or written."""
        queries = pl.cdiv(self._length, _ALIGNED) * _ALIGNED
        keys, units = pl.cdiv(queries, _LANES) * _LANES, self._batch * self.width // HEAD
        return pl.CostEstimate(
            flops=units * products * 2 * queries * keys * _LANES,
            transcendentals=units * queries**2,
            bytes_accessed=2 * values * self._batch * self._length * self.width,
        )


def _product(a: jax.Array, b: jax.Array, over: tuple[int, int]) -> jax.Array:
    return lax.dot_general(
        a, b, (((over[0],), (over[1],)), ((), ())), preferred_element_type=jnp.float32
    )


def _of_head(head: int) -> jax.Array:
    lane = lax.broadcasted_iota(jnp.int32, (1, _LANES), 1)
    return (lane >= head * HEAD) & (lane < (head + 1) * HEAD)


@dataclasses.dataclass(frozen=True)
class _Example:
    """Queries with their bias and scale, keys and values [rows, 128] of two heads; -1e9 of hidden keys."""

    window: _Window
    query: jax.Array
    key: jax.Array
    value: jax.Array
    hidden: jax.Array | None

    def scores(self, head: int) -> jax.Array:
        """Float32 [keys, queries]. Lanes of the other head count nothing: 128 cost what 64 do."""
        scores = _product(self.key, jnp.where(_of_head(head), self.query, 0), (1, 1))
        if self.hidden is not None:
            scores = scores + self.hidden
        return self.window.own(scores, _MASKED)


def _read(qkv_ref: Any, bias_ref: Any, mask_ref: Any, length: int) -> list[_Example]:
    examples = []
    for window in _windows(length):
        rows = slice(window.first, window.first + window.rows)
        query, key, value = (qkv_ref[rows, k * _LANES : (k + 1) * _LANES] for k in range(3))
        query = (query.astype(jnp.float32) + bias_ref[...]) * HEAD**-0.5
        hidden = None
        if mask_ref is not None:
            hidden = jnp.where(mask_ref[rows, :] > 0, 0.0, _MASKED).astype(jnp.float32)
        examples.append(_Example(window, query.astype(key.dtype), key, value, hidden))
    return examples


def _attend(
    qkv_ref: Any, bias_ref: Any, mask_ref: Any, out_ref: Any, sums_ref: Any, length: int
) -> None:
    examples = _read(qkv_ref, bias_ref, mask_ref, length)
    units = [(number, head) for number in range(len(examples)) for head in range(_PAIR)]
    scores = [examples[number].scores(head) for number, head in units]
    powers, scales = [], []
    for (number, head), each in zip(units, scores, strict=True):
        highest = jnp.max(each, axis=0, keepdims=True)
        power = jnp.exp(each - highest)
        total = jnp.sum(power, axis=0, keepdims=True)
        place = number * _PAIR + head
        sums_ref[0, place : place + 1, : each.shape[1]] = highest + jnp.log(total)
        powers.append(power.astype(out_ref.dtype))
        scales.append(1.0 / total)
    turned = [example.value.T for example in examples]
    mixed = [
        _product(turned[number][head * HEAD : (head + 1) * HEAD], power, (1, 0)) * scale
        for (number, head), power, scale in zip(units, powers, scales, strict=True)
    ]
    _write([(out_ref, _both_heads(mixed))], [example.window for example in examples])


def _differentiate(
    qkv_ref: Any,
    bias_ref: Any,
    mask_ref: Any,
    sums_ref: Any,
    gradient_ref: Any,
    out_ref: Any,
    bias_out_ref: Any,
    length: int,
) -> None:
    examples = _read(qkv_ref, bias_ref, mask_ref, length)
    windows = [example.window for example in examples]
    units = [(number, head) for number in range(len(examples)) for head in range(_PAIR)]
    # A neighbour's queries get no gradient here; its own program, or unit, gives it.
    given = [w.own(gradient_ref[w.first : w.first + w.rows, :], 0) for w in windows]
    scores = [examples[number].scores(head) for number, head in units]
    by_weights = [
        _product(examples[number].value, jnp.where(_of_head(head), given[number], 0), (1, 1))
        for number, head in units
    ]
    weights, by_scores = [], []
    for (number, head), each, by_weight in zip(units, scores, by_weights, strict=True):
        place = number * _PAIR + head
        weight = jnp.exp(each - sums_ref[0, place : place + 1, : each.shape[1]])
        both = weight * by_weight
        by_score = both - weight * jnp.sum(both, axis=0, keepdims=True)
        weights.append(weight.astype(qkv_ref.dtype))
        by_scores.append(by_score.astype(qkv_ref.dtype))
    turned = [example.key.T for example in examples]
    by_query, by_key, by_value = [], [], []
    for (number, head), weight, by_score in zip(units, weights, by_scores, strict=True):
        by_value.append(_product(weight, given[number], (1, 0)))
        by_key.append(_product(by_score, examples[number].query, (1, 0)))
        by_query.append(_product(turned[number][head * HEAD : (head + 1) * HEAD], by_score, (1, 0)))
    queries = [HEAD**-0.5 * query for query in _both_heads(by_query)]
    bias_out_ref[0] = sum(
        jnp.sum(window.own(query, 0.0), axis=0, keepdims=True)
        for window, query in zip(windows, queries, strict=True)
    )
    results = queries, _own_lanes(by_key), _own_lanes(by_value)
    targets = [
        (out_ref.at[:, k * _LANES : (k + 1) * _LANES], values) for k, values in enumerate(results)
    ]
    _write(targets, windows)


def _both_heads(units: Sequence[jax.Array]) -> list[jax.Array]:
    """[64, rows] of each unit to [rows, 128] of each example."""
    pairs = zip(units[::_PAIR], units[1::_PAIR], strict=True)
    return [jnp.concatenate(pair, axis=0).T for pair in pairs]


def _own_lanes(units: Sequence[jax.Array]) -> list[jax.Array]:
    """[rows, 128] of each unit, of which its head's lanes count, to [rows, 128] of each example."""
    pairs = zip(units[::_PAIR], units[1::_PAIR], strict=True)
    return [jnp.where(_of_head(0), first, second) for first, second in pairs]


def _write(targets: Sequence[tuple[Any, Sequence[jax.Array]]], windows: Sequence[_Window]) -> None:
    """Store values [rows, 128] of each example; eight rows that two of them share are merged."""
    row = lax.broadcasted_iota(jnp.int32, (_ALIGNED, 1), 0)
    for ref, by_example in targets:
        ahead = jnp.zeros((_ALIGNED, _LANES), jnp.float32)
        for number, (window, values) in enumerate(zip(windows, by_example, strict=True)):
            first = window.first
            if window.offset:
                merged = jnp.where(row >= window.offset, values[:_ALIGNED], ahead)
                ref[first : first + _ALIGNED, :] = merged.astype(ref.dtype)
                values, first = values[_ALIGNED:], first + _ALIGNED
            if number + 1 < len(windows) and windows[number + 1].offset:
                values, ahead = values[:-_ALIGNED], values[-_ALIGNED:]
            ref[first : first + len(values), :] = values.astype(ref.dtype)
