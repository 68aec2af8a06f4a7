"""The gate's numbers over the nights: one small chart for each metric, with its thresholds, and the same as a table."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from kindex.core.nights import History, entries, is_number, mapping, part, total
from kindex.judge.page.lines import ticks
from kindex.judge.page.text import number, words
from kindex.morning.page.days import Days, Frame, label, span
from kindex.morning.page.timeline import Mark

WIDTH, HEIGHT, LEFT = 332, 170, 44
HEALTH = "health:"
"""How the rules begin that every gate has; a metric of theirs is drawn only when it failed once."""

ALWAYS = ("index_recall_at_10", "neighbour_churn_at_10", "neighbour_churn_at_10_golden", "shadow_overlap_at_10", "drift_rows")
"""Drawn of every model that has them, gate line or not."""


@dataclass
class Trend:
    """One number over the nights. `values` are (date, value, passed); `limits` are (date, limit) by rule."""

    name: str
    values: list[tuple[str, float, bool]] = field(default_factory=list)
    limits: dict[str, list[tuple[str, float]]] = field(default_factory=dict)
    failed: int = 0
    health: bool = True
    share: bool = False  # shown in per cent

    def told(self, value: float) -> str:
        """A value as the page shows it."""
        return f"{value:.2%}" if self.share else number(value)


def trends(line: Sequence[Mark]) -> list[Trend]:
    """The trends of one model: the headline's first, then the gate's in its order, then index recall and churn."""
    judged = [mark for mark in line if mark.outcome in ("live", "held")]
    found: dict[str, Trend] = {}
    for mark in judged:
        head = mapping(mark.entry.get("headline"))
        numbers = {str(name): value for name, value in mapping(mark.entry.get("numbers")).items()}
        lines = entries(mapping(mark.entry.get("verdict")).get("lines"))
        failing = {str(one.get("metric")) for one in lines if one.get("passed") is False}
        numbers = {str(one.get("metric")): one.get("value") for one in lines} | numbers
        wanted = [str(head["metric"])] if "metric" in head else []
        for name in dict.fromkeys([*wanted, *(str(one.get("metric")) for one in lines), *ALWAYS]):
            if is_number(numbers.get(name)):
                trend = found.setdefault(name, Trend(name))
                trend.values.append((mark.date, float(numbers[name]), name not in failing))
                trend.health = trend.health and name not in (*wanted, *ALWAYS)
        for one in lines:
            trend, rule = found.setdefault(str(one.get("metric")), Trend(str(one.get("metric")))), str(one.get("rule"))
            trend.failed += one.get("passed") is False
            trend.health = trend.health and rule.startswith(HEALTH)
            if is_number(one.get("limit")):
                trend.limits.setdefault(rule, []).append((mark.date, float(one["limit"])))
    return [trend for trend in found.values() if trend.values and (trend.failed or not trend.health)]


def quarantine(history: History, catalogue: str) -> list[Trend]:
    """The share of refused rows, and the rows that passed, of one catalogue."""
    share, rows = Trend("share refused", share=True), Trend("rows passed")
    for night in history.nights:
        parts = [part(run, "catalogues", catalogue) for run in night.runs]
        counted = [(entry, total(entry.get("rows")), total(entry.get("refused")) or 0) for entry in parts if entry]
        for entry, passed, refused in counted[-1:]:
            if passed:
                share.values.append((night.date, refused / (passed + refused), not entry.get("stopped")))
                rows.values.append((night.date, int(passed), not entry.get("stopped")))
            share.failed += bool(entry.get("stopped"))
    return [trend for trend in (share, rows) if trend.values]


def chart(trend: Trend, dates: Sequence[str]) -> Markup:
    """The line of one trend: a dot at its end, a ring at every night that failed by it, thresholds dashed."""
    values = [value for _, value, _ in trend.values]
    limits = [limit for points in trend.limits.values() for _, limit in points]
    low, high = min([*values, *limits]), max([*values, *limits])
    marks = ticks(low, high, most=3)
    if high <= 1 < marks[-1]:  # a share has no room above 1
        marks = [mark for mark in marks if mark <= 1]
    frame = Frame(span(dates, LEFT, WIDTH - 6), marks, WIDTH, HEIGHT)
    parts = [frame.grid([f"{100 * mark:g}%" if trend.share else label(mark) for mark in marks])]
    parts += [_line(frame, points, "limit") for points in trend.limits.values()]
    parts.append(_line(frame, [(day, value) for day, value, _ in trend.values], "own"))
    few = len(trend.values) <= 12
    for place, (day, value, passed) in enumerate(trend.values):
        at = f'cx="{frame.days.x(day):.1f}" cy="{frame.y(value):.1f}"'
        title = Markup("<title>{}</title>").format(f"{day}: {trend.told(value)}{'' if passed else ', failed'}")
        if not passed:
            parts.append(Markup(f'<circle class="missed" {at} r="4">') + title + Markup("</circle>"))
        elif few or place == len(trend.values) - 1:
            parts.append(Markup(f'<circle class="own" {at} r="3">') + title + Markup("</circle>"))
    reach = f"last {trend.told(values[-1])}, from {trend.told(min(values))} to {trend.told(max(values))}"
    told = f"{words(trend.name)} over {len(values)} nights: {reach}"
    return frame.svg(told, parts)


def _line(frame: Frame, points: Sequence[tuple[str, float]], name: str) -> Markup:
    """A line through points; of a single one, the width of its date."""
    days: Days = frame.days
    pairs = [(days.x(day), frame.y(value)) for day, value in points]
    if len(pairs) == 1:
        (x, y) = pairs[0]
        pairs = [(x - days.width / 2, y), (x + days.width / 2, y)]
    return Markup(f'<polyline class="{name}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in pairs)}"/>')


def row(trend: Trend) -> dict[str, Any]:
    """The trend in figures, for the table beside the charts: a line for each rule."""
    values = [value for _, value, _ in trend.values]
    rules = [{"rule": words(rule), "limit": trend.told(points[-1][1])} for rule, points in trend.limits.items()]
    return {
        "name": words(trend.name),
        "last": trend.told(values[-1]),
        "before": trend.told(values[-2]) if len(values) > 1 else "–",
        "least": trend.told(min(values)),
        "most": trend.told(max(values)),
        "rules": rules or [{"rule": "", "limit": ""}],
        "failed": trend.failed,
        "nights": len(values),
        "missed": not trend.values[-1][2],
    }


def by_night(line: Sequence[Mark], drawn: Sequence[Trend]) -> dict[str, Any]:
    """Every value of every judged night, newest first."""
    known = {trend.name: {day: trend.told(value) for day, value, _ in trend.values} for trend in drawn}
    rows = [
        {
            "date": mark.date,
            "told": mark.told,
            "built": built(mark),
            "cells": [values.get(mark.date, "–") for values in known.values()],
        }
        for mark in reversed(line)
        if mark.outcome in ("live", "held")
    ]
    return {"columns": [words(name) for name in known], "rows": rows}


def built(mark: Mark) -> str:
    """How the candidate was built, and what its vectors are to those before it: "delta, same space"."""
    refresh = mapping(mark.entry.get("refresh"))
    kind = mapping(refresh.get("compatibility")).get("class")
    told = {"same": "same space", "aligned": "aligned", "incompatible": "incompatible"}.get(str(kind), "")
    return ", ".join(part for part in (str(mark.entry.get("built") or ""), told) if part)
