# SPDX-License-Identifier: Apache-2.0
"""One file per layout of released weights: its names, sizes and settings.

A layout imports the modules that it fills and the tables of `models/weights`; only the registry and
`medst_jax.models` import layouts.
"""
