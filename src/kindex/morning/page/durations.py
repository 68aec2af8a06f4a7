"""How long every night took, by stage: one column for each date, stacked in the order of work."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from markupsafe import Markup

from kindex.core.layout import STAGES
from kindex.core.nights import History, Night, stages
from kindex.judge.page.lines import ticks
from kindex.morning.estimates import beside
from kindex.morning.page.days import Frame, label, span
from kindex.morning.told import spell

PARTS = (*STAGES, "beside")
"""What a column is stacked of; `beside` is all that is not a stage: the gate and releases, Prefect, MLflow, starting up."""

WIDTH, HEIGHT = 1080, 260
CUT = 4.0
"""So many times longer than nine of ten nights is a night that gets a chart without it."""

UNITS = ((3600.0, "h"), (60.0, "min"), (1.0, "s"))


def of_night(night: Night) -> dict[str, float]:
    """Seconds by part, of all runs of the date."""
    found = dict.fromkeys(PARTS, 0.0)
    for run in night.runs:
        for stage in stages(run):
            found[stage["stage"] if stage["stage"] in found else "beside"] += max(0.0, float(stage["seconds"]))
        found["beside"] += beside(run) or 0.0
    return found


def charts(history: History, spent: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
    """The stacked columns; `spent` is `of_night` of every night. Where a few long nights make all others flat, once more
    with the long ones cut."""
    totals = sorted(sum(parts.values()) for parts in spent)
    usual = totals[int(0.9 * (len(totals) - 1))]
    drawn = [{"title": "", "chart": chart(history, spent, totals[-1])}]
    if totals[-1] > CUT * usual > 0:
        drawn.append({"title": f"The same up to {spell(usual)}; longer nights are cut", "chart": chart(history, spent, usual)})
    return drawn


def chart(history: History, spent: Sequence[Mapping[str, float]], highest: float) -> Markup:
    """One chart, up to `highest` seconds at least."""
    highest = max(highest, 1e-3)
    size, unit = next((pair for pair in UNITS if highest >= 2 * pair[0]), UNITS[-1])
    marks = [mark * size for mark in ticks(0.0, highest / size)]
    frame = Frame(span([night.date for night in history.nights], 64, WIDTH - 4), marks, WIDTH, HEIGHT)
    width = max(1.0, frame.days.width * (0.8 if frame.days.width > 5 else 1.0))
    parts = [frame.grid([f"{label(mark / size)} {unit}" for mark in marks])]
    for night, seconds in zip(history.nights, spent, strict=True):
        x, base, drawn = frame.days.x(night.date), 0.0, []
        for name in PARTS:
            top = base + seconds[name]
            high, low = frame.y(top), frame.y(base)
            if low - high >= 0.05:
                place = f'x="{x - width / 2:.1f}" y="{high:.1f}" width="{width:.1f}" height="{low - high:.1f}"'
                drawn.append(f'<rect class="{name}" {place}/>')
            base = top
        title = Markup("<g><title>{}</title>").format(f"{night.date}: {spell(base)}")
        parts.append(title + Markup("".join(drawn) + "</g>"))
    about = f"Seconds of every night by stage. Up to {spell(highest)}; the last took {spell(sum(spent[-1].values()))}."
    return frame.svg(about, parts)


def table(spent: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
    """A row for each part: the last night, the median and the most of nights when it ran, and its share of all time."""
    whole = sum(sum(parts.values()) for parts in spent) or 1.0
    rows = []
    for name in PARTS:
        busy = [parts[name] for parts in spent if parts[name] > 0]
        shown = [spell(value) for value in (spent[-1][name], median(busy), max(busy))] if busy else ["–"] * 3
        rows.append({"name": name, "cells": shown, "ran": len(busy), "share": f"{sum(busy) / whole:.0%}"})
    totals = [sum(parts.values()) for parts in spent]
    shown = [spell(value) for value in (totals[-1], median(totals), max(totals))]
    return [*rows, {"name": "all", "cells": shown, "ran": len(totals), "share": ""}]
