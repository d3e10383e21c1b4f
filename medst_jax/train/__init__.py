# SPDX-License-Identifier: Apache-2.0
"""The trainer: state, step, optimizer, loop, checkpoints and the run's folder.

One trainer for every system: it knows the `System` interface alone, and its step is the one that
the planner compiles and benchmarks time. May import data, models, systems and parallel; commands, the
planner, exports and the reality check import it.
"""
