# SPDX-License-Identifier: Apache-2.0
"""How stacks of layers are run on given hardware: recomputation, slices, attention.

None of it changes what is computed, only where values lie and how often they are made. The
configuration says `execution="auto"` and leaves `remat`, `slices` and `attention` of its encoders
out; what it does say counts.
"""

import dataclasses
import pkgutil
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import jax

from medst_jax import systems
from medst_jax.models.layers.fused_attention import obstacle
from medst_jax.options import OPTIONS_OF, OptionError

ExecutionName = Literal["auto", "cpu", "gpu", "tpu", "explicit"]
# The options of an encoder that say how it is run. They may change between the parts of a run.
KEYS = ("remat", "slices", "attention")

# Above these shares of a device's memory, activations are recomputed. Kept ones go through the HBM twice: on
# TPUs, where recomputing in on-chip memory beats reading back, that is worth it for small ones alone
# (docs/tpu_speed.md). On GPUs memory is the reason; parameters, moments and gradients take the rest.
_SHARES = {"gpu": 0.6, "tpu": 0.125}
# Tokens of a slice on TPUs: their hidden values of width 3,072 fill a fifth of 128 MiB of on-chip memory.
_SLICE_TOKENS = 3_200
_MOST_SLICES = 8


@dataclasses.dataclass(frozen=True)
class Hardware:
    """What a policy depends on.

    Attributes:
      platform: of the devices, as JAX names it.
      memory: bytes of a device that a program may use; None where it is not known.
    """

    platform: str
    memory: int | None = None


@dataclasses.dataclass(frozen=True)
class Stack:
    """One encoder's layers under one device's share of a batch.

    Attributes:
      rows: examples of a device at a time.
      tokens: of an example.
      width, hidden, depth, heads: of the layers.
      dtype: in which they compute.
      fused: whether cuDNN computes attention, which keeps a number of a row of scores alone.
    """

    rows: int
    tokens: int
    width: int
    hidden: int
    depth: int
    heads: int
    dtype: str
    fused: bool = False

    @property
    def kept_bytes(self) -> int:
        """What the backward pass reads, about, if nothing is recomputed.

        Ten values of a layer's width and eight of its MLP's for every token, six bytes of a score,
        or four of a row of scores where attention is fused. With einsum, the compiler for GPUs
        counts 59.9 GiB for `siglip_b16` at 256 examples, this 56.4 and the state beside it.
        """
        size = 2 if self.dtype in ("bfloat16", "float16") else 4
        values = self.tokens * (10 * self.width + 8 * self.hidden) * size
        scores = self.heads * self.tokens * (4 if self.fused else 6 * self.tokens)
        return self.rows * self.depth * (values + scores)


def hardware_of(devices: Sequence[Any]) -> Hardware:
    """Platform and memory of real devices; described ones have no memory to ask for."""
    device = devices[0]
    stats = device.memory_stats() if device.platform != "cpu" else None
    return Hardware(device.platform, (stats or {}).get("bytes_limit"))


def choose(hardware: Hardware, stacks: Mapping[str, Stack]) -> dict[str, dict[str, Any]]:
    """`remat`, `slices` and `attention` of every stack.

    Args:
      hardware: of one device.
      stacks: those that share its memory, by name.
    """
    platform = "gpu" if hardware.platform == "cuda" else hardware.platform
    if platform not in _SHARES:
        return {name: _run("none", 1, "einsum") for name in stacks}
    kept = sum(stack.kept_bytes for stack in stacks.values())
    if hardware.memory is not None and kept <= _SHARES[platform] * hardware.memory:
        return {name: _run("none", 1, "auto") for name in stacks}
    return {
        name: _run("full", _slices(stack) if platform == "tpu" else 1, "auto")
        for name, stack in stacks.items()
    }


def _run(remat: str, slices: int, attention: str) -> dict[str, Any]:
    return dict(zip(KEYS, (remat, slices, attention), strict=True))


def _slices(stack: Stack) -> int:
    """The fewest parts, a power of two that divides the rows, that are small enough."""
    parts = 1
    while (
        stack.rows * stack.tokens > parts * _SLICE_TOKENS
        and parts < _MOST_SLICES
        and stack.rows % (2 * parts) == 0
    ):
        parts *= 2
    return parts


def with_execution(
    config: Mapping[str, Any],
    system: Mapping[str, Any],
    shards: int,
    hardware: Callable[[], Hardware],
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The system's options with those that the hardware decides, and what every stack runs by.

    Args:
      config: `execution`, `train` and `data.text_length` are read.
      system: {"name", "options"}.
      shards: into how many parts the mesh cuts the batch.
      hardware: of one device, asked where the configuration leaves anything open.

    Raises:
      OptionError: an execution that does not exist.
    """
    execution = config.get("execution", "auto")
    if execution not in typing.get_args(ExecutionName):
        known = ", ".join(typing.get_args(ExecutionName))
        raise OptionError(f"config.execution is {execution!r}; it must be one of {known}")
    options, defaults = dict(system["options"]), _stacked(system)
    chosen: dict[str, dict[str, Any]] = {}
    if execution != "explicit" and defaults:
        detected = hardware()
        if execution != "auto":
            same = detected.platform in (execution, "cuda" if execution == "gpu" else execution)
            detected = Hardware(execution, detected.memory if same else None)
        stacks = _stacks(config, options, defaults, shards, detected.platform)
        chosen = choose(detected, stacks)
    ran = {}
    for name, default in defaults.items():
        given = dict(options.get(name) or {})
        if given.get("attention") == "auto":  # the default, which a resumed run lists
            del given["attention"]
        keys = [key for key in KEYS if hasattr(default, key)]
        filled = {key: v for key, v in chosen.get(name, {}).items() if key in keys}
        ran[name] = {key: getattr(default, key) for key in keys} | filled
        ran[name] |= {key: given[key] for key in keys if key in given}
        options[name] = {**given, **ran[name]}
    return {**system, "options": options}, ran


def with_recorded_execution(system: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration's section `system`, its encoders run as a record's where it leaves that open."""
    result = dict(system)
    for name, recorded in record.items():
        if isinstance(recorded, Mapping) and isinstance(result.get(name), Mapping):
            run_by = {key: recorded[key] for key in KEYS if key in recorded}
            result[name] = {**run_by, **result[name]}
    return result


def describe(platform: str, ran: Mapping[str, Mapping[str, Any]]) -> str:
    """One line: "running on gpu; image: remat none, slices 1, attention auto; text: ..."."""
    parts = [
        f"{name}: " + ", ".join(f"{key} {value}" for key, value in values.items())
        for name, values in ran.items()
    ]
    return "; ".join([f"running on {platform}", *parts])


def _stacked(system: Mapping[str, Any]) -> dict[str, Any]:
    """The default options of a system's encoders that are stacks of layers, by section."""
    cls = systems.system_class(system["name"]).Options
    hints, detected = typing.get_type_hints(cls), {}
    for field in dataclasses.fields(cls):
        default: Any = None
        if OPTIONS_OF in field.metadata:
            ask = field.metadata[OPTIONS_OF]
            ask = pkgutil.resolve_name(ask) if isinstance(ask, str) else ask
            default = ask(system["options"].get(field.name) or {})
        elif dataclasses.is_dataclass(hints[field.name]) and hasattr(hints[field.name], "remat"):
            default = hints[field.name]()
        if hasattr(default, "remat") and hasattr(default, "heads"):
            detected[field.name] = default
    return detected


def _stacks(
    config: Mapping[str, Any],
    options: Mapping[str, Any],
    defaults: Mapping[str, Any],
    shards: int,
    platform: str,
) -> dict[str, Stack]:
    train, stacks = config["train"], {}
    rows = max(train["batch_size"] // (shards * train.get("micro_batches", 1)), 1)
    for name, default in defaults.items():
        values = {**vars(default), **(options.get(name) or {})}
        width, tokens = values["width"], _tokens(name, config, options, defaults)
        shape = (rows, tokens, values["heads"], width // values["heads"])
        query = jax.ShapeDtypeStruct(shape, values["dtype"])
        blocked = obstacle(query, values.get("dropout", 0.0), platform=platform)
        stacks[name] = Stack(
            rows,
            tokens,
            width,
            values["mlp"] if "mlp" in values else round(width * values["mlp_ratio"]),
            values["depth"],
            values["heads"],
            values["dtype"],
            fused=not blocked and values.get("attention") != "einsum",
        )
    return stacks


def _tokens(
    name: str, config: Mapping[str, Any], options: Mapping[str, Any], defaults: Mapping[str, Any]
) -> int:
    """Tokens of an example in one stack; of images as the preprocessing gives them."""
    if hasattr(defaults[name], "vocabulary_size"):
        return int(config.get("data", {}).get("text_length") or defaults[name].max_length)
    image = {**vars(defaults["image"]), **(options.get("image") or {})}
    size = (options.get("preprocess") or {}).get("size", image["image_size"])
    views = 2 if str(image.get("name")).startswith("view_experts") else 1
    return views * (1 + (int(size) // int(image["patch"])) ** 2)


def device_hardware(mesh: jax.sharding.Mesh) -> Callable[[], Hardware]:
    """Asks the mesh's devices of this process."""
    return lambda: hardware_of(
        [d for d in mesh.devices.flat if d.process_index == jax.process_index()]
    )
