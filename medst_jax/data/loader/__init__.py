# SPDX-License-Identifier: Apache-2.0
"""Batches of a training run, from any step on, on any number of processes.

`input.py` is what a trainer calls; it wires the others. `sampled_rows.py` says which study stands at a
stream position, `batch_maker.py` makes the arrays of a batch with the readers of images and texts,
and `stream.py` runs that in threads or worker processes. Caches and buffer pools save time and
change no value. Imports the other parts of the data room; commands, benchmarks and the planner
import it, and the trainer receives its batches.
"""
