# SPDX-License-Identifier: Apache-2.0
"""Pre-training systems: one file per method, one interface for all."""

from medst_jax.systems.embedding import Embedding as Embedding
from medst_jax.systems.registry import available as available
from medst_jax.systems.registry import build as build
from medst_jax.systems.registry import system_class as system_class
from medst_jax.systems.system import System as System
from medst_jax.systems.system import UnsupportedError as UnsupportedError
