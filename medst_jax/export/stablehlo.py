# SPDX-License-Identifier: Apache-2.0
"""`encode_image` as a portable StableHLO program: weights and preprocessing inside, any batch."""

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath
from flax import nnx
from jax import export

from medst_jax.export.errors import ExportError
from medst_jax.systems.system import System

PROGRAM, BYTECODE = "encode_image.jax_export", "encode_image.stablehlo"
PLATFORMS = ("cpu", "cuda", "tpu")


def write_program(system: System, size: int, folder: epath.Path) -> None:
    """Write the program and check it against the system on batches of one and three.

    `jax.export.deserialize(bytes).call(images)` maps uint8 [b, size, size, 1] to a dict of
    global_ [b, E], local [b, P, E] and features [b, D]; the .stablehlo file is the same program
    as portable bytecode for other consumers.
    """
    graphdef, state = nnx.split(system)

    def encode_image(images: jax.Array) -> dict[str, jax.Array]:
        return nnx.merge(graphdef, state).encode_image(images)._asdict()

    shape = export.symbolic_shape(f"b, {size}, {size}, 1")
    compiled = jax.jit(encode_image)
    exported = export.export(compiled, platforms=PLATFORMS)(jax.ShapeDtypeStruct(shape, jnp.uint8))
    (folder / PROGRAM).write_bytes(bytes(exported.serialize()))
    (folder / BYTECODE).write_bytes(exported.mlir_module_serialized)
    program = export.deserialize(bytearray((folder / PROGRAM).read_bytes()))
    for batch in (1, 3):
        images = np.random.default_rng(batch).integers(0, 256, (batch, size, size, 1), np.uint8)
        _check(program.call(images), compiled(images), folder / PROGRAM)


def _check(found: dict[str, jax.Array], wanted: dict[str, jax.Array], file: epath.Path) -> None:
    for name, value in wanted.items():
        a, b = np.asarray(found[name]), np.asarray(value)
        if a.shape != b.shape or not np.allclose(a, b, rtol=1e-4, atol=1e-5):
            raise ExportError(f"{file}: {name} differs from the system's own")
