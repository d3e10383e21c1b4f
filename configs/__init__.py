# SPDX-License-Identifier: Apache-2.0
"""One configuration per experiment, values only; what they share lies in `parts/`."""

if __name__ == "configs":  # imported from a clone: the same modules as `medst_jax.configs`
    from medst_jax.aliases import alias

    alias(__name__, "medst_jax.configs")
