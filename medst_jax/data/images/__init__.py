# SPDX-License-Identifier: Apache-2.0
"""Images on the host and on the device: decoding, the square, normalisation, augmentation.

`pixels.py` runs on the host, `preprocess.py` and `augment.py` inside jit. Imports no other part of
the data room; the loader, systems, evaluation and exports import it.
"""
