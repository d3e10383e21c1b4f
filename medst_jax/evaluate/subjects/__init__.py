# SPDX-License-Identifier: Apache-2.0
"""What is judged and on what: embedders of systems, data, tasks, shots and folds.

`context.py` joins an embedder and the data; protocols see nothing else. May import `statistics`.
"""
