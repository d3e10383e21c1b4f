# SPDX-License-Identifier: Apache-2.0
"""What the commands share: flags of configurations, how flags are parsed. Imports no JAX."""
