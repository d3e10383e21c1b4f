# SPDX-License-Identifier: Apache-2.0
"""How a task was asked, in words: what "zero-shot" compared, with which prompts, of which classes."""

import dataclasses
from typing import Any, cast

from medst_jax.evaluate.protocols.parts.class_keys import of_class
from medst_jax.evaluate.protocols.parts.class_prompts import class_prompts, presence_prompts
from medst_jax.evaluate.protocols.zero_shot import Mode, ZeroShotOptions
from medst_jax.evaluate.registry import ConfiguredProtocol
from medst_jax.evaluate.statistics.outcome import Outcome
from medst_jax.pages.blocks import Block, Details, Paragraph, Table

_PROMPTS_SHOWN = 3
_MODES = {
    "text": "Zero-shot by text: an image is compared with sentences about each class.",
    "prototypes": "Zero-shot by label prototypes: an image is compared with the direction that "
    "training has learned for the label of each class. No text is read.",
    "pairs": "Zero-shot by pairs of sentences: one affirms the class, one denies it.",
    "auto": "Zero-shot by label prototypes where training has learned one for every class, else by text.",
}


def how_asked(task: ConfiguredProtocol | None, outcome: Outcome) -> list[Block]:
    """A sentence and the options of a task; nothing of a task whose options are not known."""
    if task is None:
        return []
    blocks: list[Block] = []
    classes = outcome.parts[-1].predictions.classes
    if isinstance(task.options, ZeroShotOptions):
        mode = cast(Mode, outcome.mode or task.options.mode)
        options = dataclasses.replace(task.options, mode=mode)
        blocks.append(Paragraph(f"{_MODES[options.mode]} {_named(classes)}"))
        blocks += _prompts(options, classes)
    elif classes and outcome.parts[-1].predictions.kind in ("single", "multi"):
        blocks.append(Paragraph(_named(classes)))
    blocks.append(Details("options of this task", [Table(("option", "value"), _options(task))]))
    return blocks


def _named(classes: tuple[str, ...]) -> str:
    return f"{len(classes)} classes: {', '.join(classes)}."


def _prompts(options: ZeroShotOptions, classes: tuple[str, ...]) -> list[Block]:
    if options.mode == "prototypes":
        rows: list[tuple[str, ...]] = [
            (name, ", ".join(of_class(options.prototypes, name, (name,)))) for name in classes
        ]
        return [Details("labels of each class", [Table(("class", "labels"), rows)])]
    if options.mode == "pairs":
        pairs = zip(*presence_prompts(classes, options.affirm, options.deny), strict=True)
        rows = [(name, *pair) for name, pair in zip(classes, pairs, strict=True)]
        return [Details("sentences of each class", [Table(("class", "affirms", "denies"), rows)])]
    rows = []
    for name in classes:
        try:
            texts = class_prompts(name, options.prompts, options.own_prompts)
        except ValueError:  # prototypes were taken, so that the bank need not have the class
            continue
        more = f" and {len(texts) - _PROMPTS_SHOWN} more" if len(texts) > _PROMPTS_SHOWN else ""
        rows.append((name, "; ".join(texts[:_PROMPTS_SHOWN]) + more))
    return [Details("prompts of each class", [Table(("class", "prompts"), rows)])] if rows else []


def _options(task: ConfiguredProtocol) -> list[tuple[str, str]]:
    """Options other than their defaults, nested ones by dotted name."""
    rows = [("protocol", task.protocol)]
    rows += [(name, str(value)) for name, value in _changed("", task.options)]
    return rows


def _changed(prefix: str, options: Any) -> list[tuple[str, Any]]:
    changed: list[tuple[str, Any]] = []
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if dataclasses.is_dataclass(value):
            changed += _changed(f"{prefix}{field.name}.", value)
        elif value not in (field.default, (), None) and value != {}:
            changed.append((f"{prefix}{field.name}", value))
    return changed
