# SPDX-License-Identifier: Apache-2.0
"""Prompts made from class names, for samples that have labels but no report.

Reference: released code of arXiv:2504.05227, template "A radiology image of [CLS]"; a study
without a positive class gets "Other finding", whose label vector is zero.
"""

from collections.abc import Sequence

TEMPLATE = "A radiology image of {label}"
OTHER = "other finding"


def prompt(label: str) -> str:
    """The training prompt of a class.

    >>> prompt("Edema")
    'A radiology image of Edema'
    """
    return TEMPLATE.format(label=label)


def all_prompts(labels: Sequence[str]) -> tuple[str, ...]:
    """Every prompt that training can draw for a vocabulary, the one of no finding included."""
    return (*map(prompt, labels), prompt(OTHER))
