# SPDX-License-Identifier: Apache-2.0
"""Report text: sections, sentences, findings and the severity of edema.

Plain Python without arrays; imports no other room. Data pipelines, data, systems and evaluation
import it.
"""

from typing import TYPE_CHECKING

from medst_jax.on_demand import names_on_demand

if TYPE_CHECKING:
    from medst_jax.text.edema import edema_severity as edema_severity
    from medst_jax.text.labeler import label_findings as label_findings
    from medst_jax.text.labeler import label_sentence as label_sentence
    from medst_jax.text.sections import split_sections as split_sections
    from medst_jax.text.sentences import split_sentences as split_sentences
    from medst_jax.text.union import label_union as label_union

__getattr__, __dir__, __all__ = names_on_demand(
    __name__,
    {
        "edema_severity": "edema",
        "label_findings": "labeler",
        "label_sentence": "labeler",
        "label_union": "union",
        "split_sections": "sections",
        "split_sentences": "sentences",
    },
)
