# SPDX-License-Identifier: Apache-2.0
"""Report text: sections, sentences, findings and the severity of edema."""

from medst_jax.text.edema import edema_severity
from medst_jax.text.labeler import label_findings, label_sentence
from medst_jax.text.sections import split_sections
from medst_jax.text.sentences import split_sentences
from medst_jax.text.union import label_union

__all__ = [
    "edema_severity",
    "label_findings",
    "label_sentence",
    "label_union",
    "split_sections",
    "split_sentences",
]
