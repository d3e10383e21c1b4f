# SPDX-License-Identifier: Apache-2.0
"""The data that every other room sees: the batch contract, and what fills it.

`batch.py` is the contract, `randomness.py` the host's random numbers. `records/` reads prepared data
sets, `tokenize/` and `images/` turn text and bytes into arrays, `mixture/` decides which studies,
labels and texts a run uses, and `loader/` makes batches of them. May import `medst_jax.text` and
`medst_jax.options`; systems, training, evaluation and the data pipelines import it.
"""
