# SPDX-License-Identifier: Apache-2.0
"""What JAX asks a GPU before it writes a call of cuDNN, answered for one that is only described."""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

from medst_jax.plan.gpus import CUDNN, Gpu


@contextlib.contextmanager
def answering_for(gpu: Gpu) -> Iterator[None]:
    """While a step is lowered and compiled, JAX takes the machine to have this GPU and cuDNN.

    Its check of fused attention has no public switch; where a version of JAX has no such check
    there is nothing to answer.
    """
    from jax._src.cudnn import fused_attention_stablehlo as attention

    def version(*_: Any) -> int:
        major, minor = CUDNN
        return 10_000 * major + 100 * minor

    def at_least(capability: str) -> bool:
        return gpu.capability >= _parts(capability)

    def equal(capability: str) -> bool:
        return gpu.capability == _parts(capability)

    answers = {
        "check_cudnn_version": version,
        "check_compute_capability": at_least,
        "is_cuda_compute_capability_equal": equal,
    }
    with contextlib.ExitStack() as stack:
        for name, answer in answers.items():
            if hasattr(attention, name):
                stack.enter_context(mock.patch.object(attention, name, answer))
        yield


def _parts(capability: str) -> tuple[int, ...]:
    return tuple(int(part) for part in capability.split("."))
