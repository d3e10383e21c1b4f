# SPDX-License-Identifier: Apache-2.0
"""Layers that encoders and heads are made of: attention, convolution, norms, dropout, stacks.

May import `medst_jax.parallel` for logical axes, and no other part of the models; encoders, heads,
systems and the fitting of linear models import it.
"""
