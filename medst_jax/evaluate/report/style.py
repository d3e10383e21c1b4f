# SPDX-License-Identifier: Apache-2.0
"""The style sheet of the HTML report, inlined so that the file stands alone."""

STYLE = """
:root { --ink: #28303a; --muted: #6a7482; --line: #e3e7ec; --accent: #2563a8; --soft: #f5f7fa; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: #fff;
  font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 36px 28px 64px; }
h1 { font-size: 26px; margin: 0 0 2px; letter-spacing: -.01em; }
h2 { font-size: 19px; margin: 44px 0 4px; padding-top: 18px; border-top: 1px solid var(--line); }
h3 { font-size: 14px; margin: 22px 0 6px; color: var(--muted); font-weight: 600; }
.sub { color: var(--muted); margin: 0 0 20px; }
.cards { display: flex; flex-wrap: wrap; gap: 12px; margin: 22px 0 10px; }
.card { flex: 1 1 200px; background: var(--soft); border-radius: 10px; padding: 14px 16px; }
.card b { display: block; font-size: 25px; line-height: 1.2; font-variant-numeric: tabular-nums; }
.card span { color: var(--muted); font-size: 13px; }
.warning { background: #fdf3e7; border-left: 4px solid #d98b2b; border-radius: 4px;
  padding: 9px 14px; margin: 10px 0; font-size: 14px; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; }
th { text-align: left; color: var(--muted); font-weight: 600; border-bottom: 1px solid var(--line);
  padding: 5px 10px 5px 0; }
td { border-bottom: 1px solid var(--line); padding: 4px 10px 4px 0; vertical-align: middle; }
td.num { font-variant-numeric: tabular-nums; white-space: nowrap; }
td.note { color: #a35c12; font-size: 12.5px; }
tr.head td { font-weight: 600; }
td small { color: var(--muted); font-weight: 400; }
table.published th, table.published td.num { white-space: nowrap; }
tr.grey td { color: #98a1ac; }
details summary { cursor: pointer; color: var(--accent); font-size: 13.5px; margin: 8px 0; }
.figures { display: flex; flex-wrap: wrap; gap: 26px; align-items: flex-start; }
.figures svg { max-width: 100%; height: auto; }
.strip { display: flex; flex-wrap: wrap; gap: 10px; }
figure { margin: 0; width: 148px; font-size: 12px; color: var(--muted); }
figure img { display: block; width: 144px; height: 144px; border-radius: 6px; background: #000;
  border-bottom: 4px solid var(--line); }
figure.right img { border-bottom-color: #3a8c6e; }
figure.wrong img { border-bottom-color: #c8553d; }
.query { display: grid; grid-template-columns: 160px 1fr; gap: 18px; margin: 14px 0;
  padding-bottom: 14px; border-bottom: 1px solid var(--line); }
.query img { width: 144px; height: 144px; border-radius: 6px; background: #000; }
.query ol { margin: 6px 0 0; padding-left: 20px; font-size: 13.5px; }
.query li.hit::marker { color: #3a8c6e; font-weight: 700; }
.query li.hit { color: #2b6b55; }
.words mark { color: inherit; border-radius: 3px; padding: 1px 2px; }
.bar { display: block; }
footer { margin-top: 48px; color: var(--muted); font-size: 12.5px; }
"""
