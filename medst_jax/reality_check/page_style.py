# SPDX-License-Identifier: Apache-2.0
"""Style sheet and sorting of the reality check's page, inlined so that the file stands alone."""

STYLE = """
:root { --ink: #28303a; --muted: #667080; --line: #e3e7ec; --accent: #2563a8; --soft: #f5f7fa;
  --page: #fff; --warn: #fdf3e7; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --ink: #dfe4ea; --muted: #98a2b0; --line: #333b46;
  --accent: #7db2ee; --soft: #1d232b; --page: #14181d; --warn: #3a2c17; } }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: var(--page);
  font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 32px clamp(12px, 3vw, 28px) 64px; }
h1 { font-size: 26px; margin: 0 0 8px; }
h2 { font-size: 19px; margin: 40px 0 2px; padding-top: 16px; border-top: 1px solid var(--line); }
.sub { color: var(--muted); margin: 0 0 16px; overflow-wrap: anywhere; }
.warning { background: var(--warn); border-left: 4px solid #d98b2b; border-radius: 4px;
  padding: 9px 14px; margin: 8px 0; font-size: 14px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; }
th { text-align: left; color: var(--muted); font-weight: 600; border-bottom: 1px solid var(--line);
  padding: 5px 12px 5px 0; cursor: pointer; white-space: nowrap; }
th[aria-sort="ascending"]::after { content: " \\2191"; }
th[aria-sort="descending"]::after { content: " \\2193"; }
td { border-bottom: 1px solid var(--line); padding: 4px 12px 4px 0; vertical-align: top; }
td:first-child, th:first-child { position: sticky; left: 0; background: var(--page); }
td.num { font-variant-numeric: tabular-nums; white-space: nowrap; }
td small { display: block; color: var(--muted); font-size: 11.5px; }
tr.control td, tr.oracle td { color: var(--muted); }
td.paper { color: var(--muted); background: var(--soft); }
h3 { font-size: 15px; margin: 22px 0 4px; }
.note { color: var(--muted); font-size: 12px; display: block; max-width: 24ch; }
a { color: var(--accent); }
details summary { cursor: pointer; color: var(--accent); margin: 8px 0; font-size: 13.5px; }
pre { overflow-x: auto; font-size: 12px; background: var(--soft); padding: 10px; }
.figures { margin-top: 14px; background: #fff; border-radius: 8px; display: inline-block;
  max-width: 100%; padding: 6px; }
.figures svg { max-width: 100%; height: auto; display: block; }
footer { margin-top: 44px; color: var(--muted); font-size: 12.5px; }
"""

SCRIPT = """
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const key = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.value ?? cell.textContent.trim();
    const number = parseFloat(text);
    return Number.isNaN(number) ? text.toLowerCase() : number;
  };
  heads.forEach((head, column) => {
    const sort = () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => {
        const [x, y] = [key(a, column), key(b, column)];
        const order = typeof x === typeof y ? (x > y) - (x < y) : typeof x === "number" ? 1 : -1;
        return down ? -order : order;
      });
      table.tBodies[0].append(...rows);
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
  });
}
"""
