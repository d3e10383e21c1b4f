# SPDX-License-Identifier: Apache-2.0
"""Text to token ids: the project's own tokenizer, and tokenizers of imported models.

Imports no other part of the data room. The loader, evaluation, exports and `medst_jax.models.weights`
(whose checkpoints bring a tokenizer) import it.
"""
