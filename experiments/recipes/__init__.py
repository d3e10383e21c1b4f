# SPDX-License-Identifier: Apache-2.0
"""Recipe sheets: what a paper, its release and a configuration here do, value by value.

`docs/recipes/sources/NAME.toml` holds what the paper and the release do and why ours differs where it does; ours is read
from the expanded configuration. `python -m experiments.recipes` writes `docs/recipes/`.
"""
