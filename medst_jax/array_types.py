# SPDX-License-Identifier: Apache-2.0
"""What an annotated array may be: of jax or of numpy, and masks of booleans or of floats.

Shapes are written as jaxtyping writes them: `Float[Array, "B E"]` is an array of floats with two
axes, and all axes of one name in a signature have one length. Nothing checks them when the code
runs; the tests do, through jaxtyping's import hook (`tests/conftest.py`).
"""

from typing import TYPE_CHECKING, ClassVar

import jax
import numpy as np
from jaxtyping import AbstractDtype, Float

Array = jax.Array | np.ndarray

if TYPE_CHECKING:
    from typing import Annotated as Mask
else:

    class Mask(AbstractDtype):
        """Booleans, or floats of which all but zero count as true."""

        dtypes: ClassVar[list[str]] = ["bool", *Float.dtypes]
