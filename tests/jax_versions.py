# SPDX-License-Identifier: Apache-2.0
"""What tests do differently from one version of jax to the next. Read before jax is imported."""

import importlib.metadata
import re


def jax_version() -> tuple[int, ...]:
    """The first three numbers of the installed jax's version."""
    numbers = re.findall(r"\d+", importlib.metadata.version("jax"))
    return tuple(int(number) for number in numbers[:3])


def xla_flags() -> str:
    """XLA's flags for tests, which compile many programs and run each once or twice.

    A flag that XLA does not know ends the process, so each is given only where it exists.
    """
    flags = ["--xla_backend_optimization_level=0", "--xla_llvm_disable_expensive_passes=true"]
    if jax_version() < (0, 11, 1):
        # XLA's older way to emit fusions compiles a training step in about a third of the time.
        flags.append("--xla_cpu_use_fusion_emitters=false")
    return " ".join(flags)
