# SPDX-License-Identifier: Apache-2.0
"""Images on the host and on the device: decoding, the square, normalisation, augmentation.

`pixels.py` runs on the host, `preprocess.py` and `augment.py` inside jit. Imports no other part of
the data room; the loader, systems, evaluation and exports import it.
"""

from typing import Literal

# How an image becomes a square: see `pixels.fit_square`. Here, because the options of a model name
# it too, and those are read without the decoders of `pixels`.
Fit = Literal["pad", "crop", "stretch"]
# How JPEGs are decoded that become smaller squares: see `pixels.read_square`.
Decode = Literal["scaled", "full"]
