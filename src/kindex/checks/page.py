"""The Data Docs of one catalogue: one self-contained page with what was checked, refused and kept.

Great Expectations' own pages load styles and scripts from other hosts and carry the time of day; this one opens
offline and shows the same results. Everything that came from data is escaped.
"""

import html
import json
from typing import Any

from kindex.checks.run import Outcome

STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 2rem; display: block; overflow-x: auto }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8884; overflow-wrap: anywhere }
td.number, th.number { text-align: right }
.stopped { color: #b3261e; font-weight: 600 } .passed { color: #1b7a3d; font-weight: 600 }
"""


def page(catalogue: str, summary: dict[str, Any], outcomes: dict[str, Outcome], objections: list[str]) -> str:
    """HTML of one validation. `summary` is what validation.json holds; it is embedded as JSON too."""
    verdict = (
        '<p class="passed">passed</p>' if not objections else "".join(f'<p class="stopped">{_e(o)}</p>' for o in objections)
    )
    results = {name: outcome.results for name, outcome in outcomes.items()}
    data = json.dumps({"summary": summary, "results": results}, sort_keys=True).replace("<", "\\u003c")
    body = [f"<h1>Validation of {_e(catalogue)}</h1>", verdict, "<h2>Rows</h2>"]
    rows = [(name, n["in"], n["passed"], n["refused"], f"{n['refused_share']:.2%}") for name, n in summary["rows"].items()]
    body.append(_table(["table", "came in", "passed", "refused", "share"], rows))
    for name, lines in results.items():
        body.append(f"<h2>Rules for {_e(name)}</h2>")
        shown = [(line["rule"], line["expectation"], line["checked"], line["refused"]) for line in lines]
        body.append(_table(["rule", "expectation", "checked", "refused"], shown))
    if summary["examples"]:
        body.append("<h2>Examples of refused rows</h2>")
        fields = ["table", "row", "rule", "value", "origin"]
        body.append(_table(fields, [tuple(entry[field] for field in fields) for entry in summary["examples"]]))
        body.append(f"<p>All of them: <code>kindex quarantine {_e(catalogue)}</code></p>")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Validation of {_e(catalogue)}</title><style>{STYLE}</style><body>{''.join(body)}"
        f'<script type="application/json" id="validation">{data}</script></body></html>\n'
    )


def _table(heads: list[str], rows: list[tuple[Any, ...]]) -> str:
    numbers = [all(isinstance(row[at], int) for row in rows) and bool(rows) for at in range(len(heads))]
    cells = [[_cell("td", _shown(value), number) for value, number in zip(row, numbers, strict=True)] for row in rows]
    head = "".join(_cell("th", name, number) for name, number in zip(heads, numbers, strict=True))
    return f"<table><tr>{head}</tr>{''.join('<tr>' + ''.join(row) + '</tr>' for row in cells)}</table>"


def _cell(tag: str, text: str, number: bool) -> str:
    return f"<{tag}{' class=number' if number else ''}>{_e(text)}</{tag}>"


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _e(text: str) -> str:
    return html.escape(text)
