# SPDX-License-Identifier: Apache-2.0
"""How much of a GPU's memory JAX takes, and how much of it a program needs."""

import math
import os
from collections.abc import Mapping

# The name that JAX reads, and the older one, which it reads as well (docs.jax.dev, GPU memory allocation).
VARIABLES = ("XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION")
SETTING = VARIABLES[1]
DEFAULT = 0.75
# CUDA's context, NCCL's buffers and the libraries' workspaces lie outside of JAX's pool.
MOST = 0.95


def memory_fraction(environment: Mapping[str, str] = os.environ) -> float:
    """The share of a device's memory that JAX allocates: of the environment, else 0.75.

    Raises:
      ValueError: both variables are set, or one is no number above 0 and up to 1.
    """
    given = {name: environment[name] for name in VARIABLES if environment.get(name)}
    if len(given) > 1:
        raise ValueError(f"{' and '.join(VARIABLES)} are both set; unset the second")
    for name, text in given.items():
        try:
            fraction = float(text)
        except ValueError:
            fraction = math.nan
        if not 0.0 < fraction <= 1.0:
            raise ValueError(f"{name} is {text!r}; it must be a number above 0 and up to 1")
        return fraction
    return DEFAULT


def smallest_fraction(peak: int, device: int) -> float | None:
    """The least share, in hundredths, that holds a program; None where 0.95 would not do.

    Args:
      peak: bytes that the program needs.
      device: bytes of memory of the device.

    >>> smallest_fraction(60 * 2**30, 79 * 2**30)
    0.76
    """
    fraction = math.ceil(100 * peak / device) / 100
    return fraction if fraction <= MOST else None
