# SPDX-License-Identifier: Apache-2.0
"""The version of the generator and its random streams.

A patient's data depend on (VERSION, cohort seed, site, patient number, image size) and on
nothing else: not on the division into units, not on the number of patients. Each purpose
(anatomy, state, report, pose of study 2, ...) has a stream of its own, so that a draw added to
one leaves the others unchanged. Any change of what comes out needs a new VERSION.
"""

import hashlib

import numpy as np

VERSION = "3.0.0a3"


def stream(seed: int, site: str, patient: int, *purpose: str | int) -> np.random.Generator:
    """Returns the generator of one purpose of one patient."""
    key = "/".join(str(part) for part in (VERSION, seed, site, patient, *purpose))
    digest = hashlib.blake2b(key.encode(), digest_size=16).digest()
    return np.random.Generator(np.random.SFC64(int.from_bytes(digest, "little")))


def uniform_hash(*parts: str | int) -> float:
    """Returns a number in [0, 1) that depends on the parts alone."""
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2.0**64


def opaque(*parts: str | int) -> str:
    """Returns 12 hexadecimal digits that depend on the parts alone and tell nothing of them."""
    return hashlib.sha256("/".join(str(part) for part in parts).encode()).hexdigest()[:12]
