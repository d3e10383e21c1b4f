# SPDX-License-Identifier: Apache-2.0
"""What stands on an encoder: projections, temperature, prototypes, critics, language heads.

May import `layers/` and `encoders/`; weights, systems and evaluation import it.
"""
