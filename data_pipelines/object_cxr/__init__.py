# SPDX-License-Identifier: Apache-2.0
"""Object-CXR: foreign objects in frontal radiographs of township hospitals."""
