# SPDX-License-Identifier: Apache-2.0
"""One file per protocol: what is asked of a system, and how its answers become predictions.

A protocol takes its options and an `EvaluationContext` and returns an `Outcome`; the file's name is
the protocol's name in a suite. What several protocols share lies in `parts/`. May import `subjects`,
`fitting` and `statistics`; `registry.py` above lists the protocols, nothing else imports them.
"""
