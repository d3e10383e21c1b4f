# SPDX-License-Identifier: Apache-2.0
"""A system's towers as portable StableHLO: weights and preprocessing inside, any batch."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath
from flax import nnx
from jax import export

from medst_jax.export.errors import ExportError
from medst_jax.parallel.placement import UNPLACED, use_placement
from medst_jax.systems.system import Embedding, System

PLATFORMS = ("cpu", "cuda", "tpu")
# One program for all of them: nothing that this machine alone could run is chosen.
_ANYWHERE = dataclasses.replace(UNPLACED, platform="any")


@dataclasses.dataclass(frozen=True)
class Program:
    """One function of a system.

    Attributes:
      call: the function, of the system and arrays.
      shapes: of the arrays, in jax.export's notation; b and c are symbolic.
      dtypes: of the arrays.
      what: for config.json and the card.
    """

    call: Callable[..., Mapping[str, jax.Array]]
    shapes: tuple[str, ...]
    dtypes: tuple[str, ...]
    what: str


def programs(system: System, size: int, length: int | None) -> dict[str, Program]:
    """The programs that this system has, by name.

    Args:
      system: the system.
      size: side of the stored images, pixels.
      length: tokens of a text; None for a system without text.
    """
    images = f"b, {size}, {size}, 1"
    by_name = {}
    if system.has_image:
        by_name["encode_image"] = Program(
            lambda system, images: _outputs(system.encode_image(images)),
            (images,),
            ("uint8",),
            "uint8 grey images [b, S, S, 1] to global_ [b, E], local [b, P, E], features [b, D]",
        )
    if system.has_text and length:
        by_name["encode_text"] = Program(
            lambda system, tokens, mask: _outputs(system.encode_text(tokens, mask)),
            (f"b, {length}", f"b, {length}"),
            ("int32", "bool"),
            "tokens and mask [b, L] to global_ [b, E], local [b, L, E], features [b, D]",
        )
    if system.has_image and system.has_text and length:
        by_name["zero_shot"] = Program(
            _zero_shot,
            (images, f"c, {_joint(system, length)}"),
            ("uint8", "float32"),
            "images [b, S, S, 1] and class vectors [c, E] (means of encode_text's global_ over "
            "a class's prompts) to scores [b, c]",
        )
    if system.has_prototypes:
        by_name["class_logits"] = Program(
            lambda system, images: {"logits": system.class_logits(images)},
            (images,),
            ("uint8",),
            "images [b, S, S, 1] to logits [b, C] of the labels in labels.json",
        )
    return by_name


def write_programs(
    system: System, size: int, length: int | None, folder: epath.Path
) -> dict[str, str]:
    """Write every program and check it against the system on batches of one and three.

    NAME.jax_export is for `jax.export.deserialize`, NAME.stablehlo the same program as portable
    bytecode for other consumers.

    Returns:
      What each program does, by name.
    """
    graphdef, state = nnx.split(system)
    written = {}
    for name, program in programs(system, size, length).items():

        def call(*arrays: jax.Array, program: Program = program) -> dict[str, jax.Array]:
            with use_placement(_ANYWHERE):
                return dict(program.call(nnx.merge(graphdef, state), *arrays))

        scope = export.SymbolicScope()
        shapes = [export.symbolic_shape(shape, scope=scope) for shape in program.shapes]
        arguments = [
            jax.ShapeDtypeStruct(shape, jnp.dtype(dtype))
            for shape, dtype in zip(shapes, program.dtypes, strict=True)
        ]
        compiled = jax.jit(call)
        exported = export.export(compiled, platforms=PLATFORMS)(*arguments)
        file = folder / f"{name}.jax_export"
        file.write_bytes(bytes(exported.serialize()))
        (folder / f"{name}.stablehlo").write_bytes(exported.mlir_module_serialized)
        read = export.deserialize(bytearray(file.read_bytes()))
        for batch in (1, 3):
            arrays = _example_inputs(arguments, batch)
            _check(read.call(*arrays), compiled(*arrays), file)
        written[name] = program.what
    return written


def _zero_shot(system: Any, images: jax.Array, classes: jax.Array) -> dict[str, jax.Array]:
    scale = system.scale() if hasattr(system, "scale") else 1.0
    embedding = system.encode_image(images).global_
    return {"scores": scale * jnp.einsum("be,ce->bc", embedding, classes)}


def _outputs(embedding: Embedding) -> dict[str, jax.Array]:
    """What an exported program gives of an embedding."""
    return {name: getattr(embedding, name) for name in ("global_", "local", "features")}


def _joint(system: System, length: int) -> int:
    text = jax.ShapeDtypeStruct((1, length), jnp.int32)
    mask = jax.ShapeDtypeStruct((1, length), jnp.bool_)
    width: int = jax.eval_shape(system.encode_text, text, mask).global_.shape[-1]
    return width


def _example_inputs(arguments: list[jax.ShapeDtypeStruct], batch: int) -> list[np.ndarray]:
    """Inputs of a batch: noise in images and class vectors, small token numbers, a full mask."""
    rng = np.random.default_rng(batch)
    arrays = []
    for argument in arguments:
        shape = tuple(size if isinstance(size, int) else batch for size in argument.shape)
        if argument.dtype == jnp.bool_:
            arrays.append(np.ones(shape, bool))
        elif argument.dtype == jnp.float32:
            arrays.append(rng.normal(size=shape).astype(np.float32))
        else:
            arrays.append(rng.integers(0, 256 if len(shape) > 2 else 5, shape, argument.dtype))
    return arrays


def _check(
    outputs: Mapping[str, jax.Array], expected: Mapping[str, jax.Array], file: epath.Path
) -> None:
    for name, value in expected.items():
        a, b = np.asarray(outputs[name]), np.asarray(value)
        if a.shape != b.shape or not np.allclose(a, b, rtol=1e-4, atol=1e-5):
            raise ExportError(f"{file}: {name} differs from the system's own")
