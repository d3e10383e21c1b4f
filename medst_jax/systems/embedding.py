# SPDX-License-Identifier: Apache-2.0
"""What a system gives for an image or a text."""

from typing import NamedTuple

import jax


class Embedding(NamedTuple):
    """An image's or a text's representation, float32.

    global_: [B, E], unit norm, in the joint space.
    local: [B, P, E] of patches or [B, L, E] of tokens, unit norm.
    features: [B, D], the encoder's pooled output before any projection, for probes.
    """

    global_: jax.Array
    local: jax.Array
    features: jax.Array
