# SPDX-License-Identifier: Apache-2.0
"""Plain HTML pages for data cards: one file, no script, nothing loaded from elsewhere."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

_STYLE = """
:root{--ink:#1c2733;--soft:#5d6b7a;--line:#dde3ea;--tint:#f5f7fa;--bar:#9cc3e6;--warm:#f0b27a}
body{font:15px/1.5 system-ui,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;color:var(--ink);
max-width:1080px;margin:0 auto;padding:28px 24px 64px}
h1{font-size:27px;margin:0 0 4px}h2{font-size:19px;margin:38px 0 10px;padding-top:14px;
border-top:1px solid var(--line)}h3{font-size:15px;margin:18px 0 6px}p{margin:6px 0 10px}
.lead{color:var(--soft);max-width:72ch}.note{color:var(--soft);font-size:13.5px;max-width:80ch}
.warning{background:#fff6e6;border-left:4px solid #e0a100;padding:8px 14px;margin:16px 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(130px,1fr));gap:10px;margin:18px 0}
.tile{background:var(--tint);border-radius:6px;padding:10px 14px}
.tile b{display:block;font-size:21px;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:13px}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:13.5px;min-width:40%}
th{color:var(--soft);font-weight:600;text-align:right;border-bottom:2px solid var(--line)}
th,td{padding:4px 12px;vertical-align:top}td{border-bottom:1px solid var(--line);
text-align:right;font-variant-numeric:tabular-nums}
th:first-child,td:first-child{text-align:left;padding-left:0}
td.text{text-align:left}td.bar{background:linear-gradient(90deg,var(--bar) var(--w),transparent 0)}
.grid{display:flex;flex-wrap:wrap;gap:10px}figure{margin:0}
figcaption{font-size:12px;color:var(--soft);margin-top:3px;max-width:260px}
img{display:block;border-radius:4px;background:#000}
.strip{display:flex;gap:18px;overflow-x:auto;padding-bottom:10px}
.study{flex:0 0 300px}.study h3{margin-top:0}.report{font-size:12.5px;line-height:1.45}
.report b{color:var(--soft);font-size:11px;letter-spacing:.03em}
code{background:var(--tint);padding:1px 5px;border-radius:3px;font-size:13px;overflow-wrap:anywhere}
"""


def escape(value: Any) -> str:
    """HTML of a value: a number short, a name plain."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, int):
        return f"{value:,}"
    return html.escape(str(value))


def page(title: str, lead: str, *parts: str) -> str:
    """A whole page."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        f'<h1>{escape(title)}</h1><p class="lead">{escape(lead)}</p>{"".join(parts)}'
        "</body></html>\n"
    )


def section(title: str, *parts: str, note: str = "") -> str:
    """A heading, a remark and what it heads; nothing when there is nothing."""
    body = "".join(parts)
    if not body:
        return ""
    remark = f'<p class="note">{escape(note)}</p>' if note else ""
    return f"<h2>{escape(title)}</h2>{remark}{body}"


def tiles(values: Iterable[tuple[str, Any]]) -> str:
    """A row of figures with what they count."""
    items = (
        f'<div class="tile"><b>{escape(v)}</b><span>{escape(n)}</span></div>' for n, v in values
    )
    return f'<div class="tiles">{"".join(items)}</div>'


def table(names: Sequence[str], rows: Iterable[Sequence[Any]], bars: Sequence[int] = ()) -> str:
    """A table; columns in `bars` hold shares in [0, 1] and are drawn as such."""
    lines = []
    for row in rows:
        cells = []
        for column, value in enumerate(row):
            if column in bars and isinstance(value, float):
                cells.append(f'<td class="bar" style="--w:{100 * value:.1f}%">{value:.3f}</td>')
            else:
                kind = ' class="text"' if isinstance(value, str) and column else ""
                cells.append(f"<td{kind}>{escape(value)}</td>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    if not lines:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    return f'<div class="scroll"><table><tr>{head}</tr>{"".join(lines)}</table></div>'
