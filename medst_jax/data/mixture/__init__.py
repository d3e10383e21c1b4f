# SPDX-License-Identifier: Apache-2.0
"""What a run uses of its data sets: their studies, labels and texts, and what is left out.

Options of the input, the union of vocabularies, label policies, exclusion of evaluation patients and
the check that the data gives what a system needs. Imports `records/`, the fits of `images/` and the
prompt banks of `medst_jax.text`; the loader, configs, evaluation and the planner import it.
"""
