"""One page over all nights: releases and what was held back, durations, the gate's numbers, churn, quarantine.

A single file that opens offline: no script, no font, no address of another host. Its text comes from data: it is made
visible and cut, escaped by Jinja, and the page's Content-Security-Policy lets nothing in but its own style sheet, by hash.
"""

import base64
import hashlib
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from markupsafe import Markup

from kindex.core import release
from kindex.core.files import write_atomic
from kindex.core.layout import Layout
from kindex.core.nights import History, Night, read_history
from kindex.judge.page.text import cleaned, words
from kindex.morning.page import durations, table, timeline, trends
from kindex.morning.page.table import Pages

REPORT = "notes/report.html"


def write(layout: Layout) -> Path:
    """Make `var/nights/index.html` from the journal; returns it. Equal journals and releases give equal bytes."""
    path = layout.nights / "index.html"
    content = render(read_history(layout.nights), pages(layout)).encode()
    if not path.is_file() or path.read_bytes() != content:
        write_atomic(path, content)
    return path


def pages(layout: Layout) -> Pages:
    """Models and versions whose report page is there."""
    folders = sorted((layout.root / "releases").glob("*"))
    return {(folder.name, name) for folder in folders for name in release.names(folder) if (folder / name / REPORT).is_file()}


def render(history: History, pages: Pages = ()) -> str:
    """The page as text; equal arguments give equal text."""
    history = plain(history)
    style = _style()
    shown = {"nights": len(history.nights), "damaged": history.damaged, "earlier": history.earlier}
    if history.nights:
        shown |= content(history, pages)
    policy = f"default-src 'none'; img-src data:; style-src {_source(style)}"
    return _template().render(**shown, style=Markup(style), policy=policy)


def content(history: History, pages: Pages) -> dict[str, Any]:
    """Everything but the frame, for a history that is not empty."""
    dates = [night.date for night in history.nights]
    lanes = {model: timeline.marks(history, model) for model in history.models()}
    spent = [durations.of_night(night) for night in history.nights]
    catalogues = {name: trends.quarantine(history, name) for name in history.catalogues()}
    outcomes = [night.outcome for night in history.nights]
    return {
        "first": dates[0],
        "last": dates[-1],
        "facts": facts(dates, outcomes, sum(bool(mark.back) for line in lanes.values() for mark in line)),
        "outcome": {"told": table.OUTCOMES.get(outcomes[-1], outcomes[-1]), "bad": outcomes[-1] in ("held", "failed")},
        "models": timeline.standing(lanes),
        "timeline": timeline.chart(history, lanes) if lanes else "",
        "legend": timeline.legend(),
        "durations": durations.charts(history, spent),
        "parts": durations.table(spent),
        "trends": [drawn for model, line in lanes.items() if (drawn := _trends(model, line, dates))],
        "quarantine": [_drawn(name, found, dates) for name, found in catalogues.items() if found],
        "rows": table.rows(history, lanes, pages),
        "open": table.OPEN,
    }


def facts(dates: list[str], outcomes: list[str], back: int) -> list[tuple[str, str]]:
    """The few numbers that stand under the title; what never was is left out."""
    told = {table.OUTCOMES[name]: outcomes.count(name) for name in ("done", "unchanged", "held", "failed", "refused")}
    missing = (trends.span(dates, 0, 1).count) - len(dates)
    told |= {"dates without a night": missing, "rollbacks": back}
    return [("nights", str(len(dates))), *((name, str(count)) for name, count in told.items() if count)]


def _trends(model: str, line: list[timeline.Mark], dates: list[str]) -> dict[str, Any] | None:
    drawn = trends.trends(line)
    return {**_drawn(model, drawn, dates), "by_night": trends.by_night(line, drawn)} if drawn else None


def _drawn(name: str, found: list[trends.Trend], dates: list[str]) -> dict[str, Any]:
    """Charts and figures of one model or catalogue."""
    charts = [{"name": words(trend.name), "chart": trends.chart(trend, dates), **trends.row(trend)} for trend in found]
    return {"name": name, "charts": charts}


def plain(history: History) -> History:
    """The same with every text visible and cut: ids and messages come from data."""
    return replace(history, nights=tuple(Night(night.date, tuple(cleaned(night.runs))) for night in history.nights))


@cache
def _template() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(__name__), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("nights.html")


@cache
def _style() -> str:
    """The reports' style sheet, and what this page adds."""
    folders = (files("kindex.judge.page") / "assets" / "page.css", files(__name__) / "assets" / "nights.css")
    return "\n".join(path.read_text(encoding="utf-8") for path in folders)


def _source(text: str) -> str:
    """How a Content-Security-Policy names an inline style: by the hash of its text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
