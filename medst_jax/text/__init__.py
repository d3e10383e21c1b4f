# SPDX-License-Identifier: Apache-2.0
"""Report text: sections and sentences."""

from medst_jax.text.sections import split_sections
from medst_jax.text.sentences import split_sentences

__all__ = ["split_sections", "split_sentences"]
