# SPDX-License-Identifier: Apache-2.0
"""A configuration as the planner needs it: the train step and its batch, without any data."""

import copy
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
from etils import epath

from medst_jax import systems
from medst_jax.data.batch import batch_spec, keys_of
from medst_jax.data.loader.input import load_tokenizer
from medst_jax.data.mixture.data_options import DataOptions
from medst_jax.data.mixture.mixture import mixture_labels
from medst_jax.options import parse
from medst_jax.plan.compile import hbm_capacity
from medst_jax.plan.flops import forward_flops
from medst_jax.plan.topology import Topology
from medst_jax.systems.parts.query_texts import assumed_values
from medst_jax.train.assembly import Assembly, assemble
from medst_jax.train.execution import Hardware
from medst_jax.train.state import skeleton

# What a plan assumes where neither the data nor the configuration says.
VOCABULARY_SIZE = 32_000
LABELS = 14


@dataclasses.dataclass(frozen=True)
class Sizes:
    """What the data decides: the label vocabulary and the pieces of the tokenizer.

    notes: what was assumed because the data is not there.
    """

    labels: tuple[str, ...]
    vocabulary_size: int
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Workload:
    """The parts of a plan.

    Attributes:
      config: the configuration, at the planned batch size.
      assembly: train step and options.
      batch: shapes and dtypes of the global batch.
      sizes: of labels and vocabulary.
    """

    config: Mapping[str, Any]
    assembly: Assembly
    batch: Mapping[str, jax.ShapeDtypeStruct]
    sizes: Sizes

    @property
    def parameters(self) -> int:
        """Trainable numbers."""
        return sum(leaf.size for leaf in self.assembly.step.abstract.params.values())

    @property
    def argument_bytes(self) -> int:
        """State and batch on one device."""
        state = jax.tree.leaves(self.assembly.step.abstract)
        state_bytes = sum(
            _bytes(leaf.sharding.shard_shape(leaf.shape), leaf.dtype) for leaf in state
        )
        rows = sum(_bytes(leaf.shape, leaf.dtype) for leaf in self.batch.values())
        return state_bytes + rows // max(self.assembly.step.mesh.size, 1)

    def lower(self) -> Any:
        """The train step, lowered for the topology's devices."""
        return self.assembly.step.lower(self.batch)

    def flops_per_example(self) -> dict[str, float]:
        """Model FLOPs of a training step per example, "total" and by encoder.

        Three times the forward pass: one product forward, two backward. What rematerialisation
        computes again is not counted.
        """
        parts, state = skeleton(self.assembly.template), self.assembly.step.abstract
        variables, rows = (state.params, state.model_state), self.assembly.options.batch_size
        # Shapes are enough to count products: nothing is computed or allocated here.
        key = jax.eval_shape(lambda: jax.random.key(0))
        batch = dict(self.batch)

        def count(call: Callable[..., Any], *arguments: Any) -> float:
            forward = forward_flops(lambda h, *a: call(parts.system(*h), *a), variables, *arguments)
            return 3.0 * forward / rows

        flops = {"total": count(lambda m, b, k: m.loss(b, rngs=k)[0], batch, key)}
        if self.assembly.template.has_image:
            flops["image"] = count(lambda m, x: m.encode_image(x).features, batch["frontal"])
        if self.assembly.template.has_text:
            text = batch["tokens"], batch["token_mask"]
            flops["text"] = count(lambda m, *t: m.encode_text(*t).features, *text)
        return flops


def sizes_of(config: Mapping[str, Any]) -> Sizes:
    """Labels and vocabulary: of the prepared data, else of the configuration, else assumed."""
    options = dict(config["system"])
    data = parse(DataOptions, config["data"], "config.data")
    notes = []
    try:
        tokenizer = load_tokenizer(data)
        return Sizes(mixture_labels(data), tokenizer.size if tokenizer else 0)
    except (OSError, ValueError) as error:
        notes.append(f"data not prepared under {epath.Path(data.data_dir)}: {type(error).__name__}")
    labels = tuple(options.get("labels") or (f"label {n}" for n in range(LABELS)))
    vocabulary = int(options.get("vocabulary_size") or VOCABULARY_SIZE)
    notes.append(f"assumed {len(labels)} labels and a vocabulary of {vocabulary:,}")
    return Sizes(labels, vocabulary, tuple(notes))


def make_workload(
    config: Mapping[str, Any], topology: Topology, sizes: Sizes, per_chip_batch: int | None = None
) -> Workload:
    """Put a configuration's train step on a topology.

    Args:
      config: the full configuration.
      topology: the devices.
      sizes: of labels and vocabulary.
      per_chip_batch: examples per chip; the configuration's global batch by default.

    Raises:
      ValueError: an option, or a mesh or batch that the topology does not fit.
    """
    # A copy: the caller plans the same configuration at several batch sizes.
    planned = copy.deepcopy(dict(config))
    if per_chip_batch is not None:
        planned["train"]["batch_size"] = per_chip_batch * topology.chips
    options = dict(planned["system"])
    name = options.pop("name", "")
    options |= {
        "labels": list(sizes.labels),
        "vocabulary_size": sizes.vocabulary_size,
        "seed": options.get("seed", planned["seed"]),
    }
    # Of entities the longest lists and texts: what a plan is for is whether that fits.
    asked = assumed_values(systems.system_class(name).Options)
    options |= asked
    assembly = assemble(
        planned,
        {"name": name, "options": options},
        topology.devices,
        lambda: _hardware(topology),
    )
    data = parse(DataOptions, planned["data"], "config.data")
    batch = batch_spec(
        keys_of(systems.system_class(name).required_keys),
        assembly.options.batch_size,
        size=data.size,
        length=data.text_length,
        labels=len(sizes.labels),
        studies=data.sequence_length,
        entities=len(asked.get("entities", ())),
        places=len(asked.get("places", ())),
    )
    return Workload(planned, assembly, batch, sizes)


def _hardware(topology: Topology) -> Hardware:
    platform = topology.devices[0].platform
    return Hardware(platform, None if platform == "cpu" else hbm_capacity(topology))


def _bytes(shape: tuple[int, ...], dtype: Any) -> int:
    size = jax.numpy.dtype(dtype).itemsize
    for extent in shape:
        size *= extent
    return size
