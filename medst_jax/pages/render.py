# SPDX-License-Identifier: Apache-2.0
"""A page as one HTML file that loads nothing from elsewhere and runs no script but its own."""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.resources
from typing import Any

import jinja2
from markupsafe import Markup

from medst_jax.pages import shown
from medst_jax.pages.blocks import Block, Page, Table


def render(page: Page) -> str:
    """The page as HTML text."""
    script = _file("sort.js") if any(map(_sorts, page.blocks)) else ""
    allowed = "'none'"
    if script:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        allowed = f"'sha256-{digest}'"
    text: str = _template().render(
        page=page,
        style=Markup(_file("style.css")),
        script=Markup(script),
        allowed=Markup(allowed),
    )
    return text.lstrip() + "\n"


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_file),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters["number"] = shown.number
    environment.filters["drawing"] = Markup
    return environment.get_template("page.html")


def _finalize(value: Any) -> Any:
    return value if isinstance(value, Markup) else shown.plain(value)


def _file(name: str) -> str:
    folder = importlib.resources.files("medst_jax.pages") / "templates"
    return (folder / name).read_text(encoding="utf-8")


def _sorts(block: Block) -> bool:
    """Whether a block has a table that sorts."""
    if isinstance(block, Table):
        return block.sortable
    inner = getattr(block, "blocks", ()) if isinstance(block, Block) else ()
    return any(map(_sorts, inner))
