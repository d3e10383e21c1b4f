# SPDX-License-Identifier: Apache-2.0
"""Losses over all pairs of a batch without the matrix of all pairs in memory.

`chunked` and `ring` have the names, values and gradients of the dense losses. Read them from the
top: `descriptions` says what one block of each loss holds, `passes` walks over the blocks (and
around the ring) twice, `online_softmax` and `logistic` say how blocks add up.
"""
