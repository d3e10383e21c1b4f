# SPDX-License-Identifier: Apache-2.0
"""TBX11K: tuberculosis, other disease and health in frontal radiographs, with boxes."""
