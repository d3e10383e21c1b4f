# SPDX-License-Identifier: Apache-2.0
"""Classes, words and designs that several suites of benchmarks share."""
