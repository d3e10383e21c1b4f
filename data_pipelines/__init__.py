# SPDX-License-Identifier: Apache-2.0
"""Offline pipelines: one folder per data set, and the image banks and cards that all share.

May import `medst_jax.text` and the record schema of `medst_jax.data`; never models.
"""

if __name__ == "data_pipelines":  # from a clone: the same modules as `medst_jax.data_pipelines`
    from medst_jax.aliases import alias

    alias(__name__, "medst_jax.data_pipelines")
