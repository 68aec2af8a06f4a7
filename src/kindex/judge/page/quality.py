"""What the page says of quality: the headline, the gate's verdict, measures, curves. Evidence in, plain rows out."""

from collections.abc import Mapping
from typing import Any

from kindex.judge.page import bars, lines
from kindex.judge.page.text import interval, is_number, number, sentence, words

Rows = list[dict[str, Any]]


def headline(evidence: Mapping[str, Any]) -> dict[str, Any] | None:
    """The one number with its interval, beside its baselines as bars on one scale; None when there is none."""
    head = evidence.get("headline") or {}
    if not is_number(head.get("value")):
        return None
    measure: Mapping[str, Any] = next((m for m in evidence.get("measures") or [] if m.get("name") == head.get("metric")), {})
    value, low, high = head["value"], head.get("low"), head.get("high")
    baselines = _numbers(head.get("baselines"))
    extent = bars.span([value, low, high, *baselines.values()])
    rows = [{"name": "this model", "own": True, "value": number(value), "bar": bars.bar(value, extent, low, high)}]
    rows += [
        {"name": name, "own": False, "value": number(base), "bar": bars.bar(base, extent)}
        for name, base in sorted(baselines.items(), key=lambda item: (-item[1], item[0]))
    ]
    return {
        "title": measure.get("title") or words(str(head.get("metric", "figure"))),
        "meaning": sentence(str(measure.get("meaning") or "")),
        "value": number(value),
        "interval": interval(low, high),
        "lower_is_better": head.get("better") == "lower",
        "comparison": " ".join(
            said for said in (comparison(value, low, high, head.get("better", "higher"), baselines), behind(head)) if said
        ),
        "rows": rows,
    }


def comparison(value: float, low: Any, high: Any, better: str, baselines: Mapping[str, float]) -> str:
    """One sentence: how far `value` is from the best baseline, and whether its interval clears it."""
    if not baselines:
        return ""
    sign = -1 if better == "lower" else 1
    name, best = max(baselines.items(), key=lambda item: (sign * item[1], item[0]))
    gap = value - best
    if gap == 0:
        return f"The same as the best baseline, {name}."
    ahead = sign * gap > 0
    said = f"{number(abs(float(gap)))} {'better' if ahead else 'worse'} than the best baseline, {name}"
    if not is_number(low) or not is_number(high):
        return f"{said}."
    if low <= best <= high:
        return f"{said}, which lies within the interval."
    return f"{said}, and so is the whole interval."


def behind(head: Mapping[str, Any]) -> str:
    """One sentence: how far the family's default settings are ahead, or behind; "" when these are they."""
    default = _numbers(head.get("baselines")).get("default settings")
    if default is None:
        return ""
    gap = (head["value"] - default) * (-1 if head.get("better") == "lower" else 1)
    share = f" ({abs(gap / default):.0%})" if default else ""
    return f"{number(abs(float(gap)))}{share} {'ahead of' if gap >= 0 else 'behind'} the family's default settings."


def carried(evidence: Mapping[str, Any]) -> dict[str, Any] | None:
    """Which release measured the numbers that were carried over, and how many there are; None when all were measured."""
    given = evidence.get("carried") or {}
    return {"from": given.get("from"), "count": number(len(given["names"]))} if given.get("names") else None


def since(evidence: Mapping[str, Any]) -> str:
    """One sentence about how the map goes on from last night's; "" when it does not."""
    given = (evidence.get("map") or {}).get("before") or {}
    if not is_number(given.get("shared")):
        return ""
    gone = f"{given['moved']:.1%} of its radius" if given.get("moved") else "not at all"
    return f"It goes on from that of {given['version']}: the middle one of {number(given['shared'])} items moved {gone}."


def measures(evidence: Mapping[str, Any]) -> Rows:
    """Rows of the table of measures, each with the baselines that it has."""
    return [_measure(m) for m in evidence.get("measures") or [] if is_number(m.get("value"))]


def _measure(measure: Mapping[str, Any]) -> dict[str, Any]:
    value, low, high = measure["value"], measure.get("low"), measure.get("high")
    baselines, better = _numbers(measure.get("baselines")), measure.get("better")
    sign = {"higher": 1, "lower": -1}.get(str(better), 0)
    best = max((sign * x for x in [value, *baselines.values()]), default=0)
    extent = bars.span([value, low, high, *baselines.values()])
    return {
        "title": measure.get("title") or words(str(measure.get("name", ""))),
        "meaning": sentence(str(measure.get("meaning") or "")),
        "better": {"higher": "higher is better", "lower": "lower is better"}.get(str(better), ""),
        "value": number(value),
        "interval": interval(low, high),
        "best": bool(sign and baselines and sign * value == best),
        "strip": bars.strip(value, baselines.values(), extent, low, high) if baselines else "",
        "beside": [
            {"name": name, "value": number(base), "best": bool(sign) and sign * base == best}
            for name, base in baselines.items()
        ],
    }


def hubs(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """A row for each number of neighbours, a cell for each way to choose them: before a correction for hubs, and after each.

    `served` names the correction that questions are answered by, "" when it is none.
    """
    given = [way for way in evidence.get("corrected") or [] if way.get("numbers")]
    ways = [{"name": words(str(way.get("neighbours", ""))), "served": bool(way.get("served"))} for way in given]
    rows = []
    for cells in zip(*(way["numbers"] for way in given)):
        better = str(cells[0].get("better"))
        sign = {"higher": 1, "lower": -1}.get(better, 0)
        values = [cell.get("value") for cell in cells]
        best = max((sign * value for value in values if is_number(value)), default=0)
        rows.append(
            {
                "title": str(cells[0].get("title") or ""),
                "better": {1: "higher is better", -1: "lower is better"}.get(sign, ""),
                "cells": [{"value": number(v), "best": bool(sign) and is_number(v) and sign * v == best} for v in values],
            }
        )
    return {"ways": ways, "rows": rows, "served": next((way["name"] for way in ways[1:] if way["served"]), "")}


def gate(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The gate's verdict and its lines; None when no gate has judged. Missed lines first."""
    if not given:
        return None
    judged = [
        {
            "metric": words(str(line.get("metric", ""))),
            "rule": words(str(line.get("rule", ""))),
            "value": number(line.get("value")),
            "limit": number(line.get("limit")),
            "passed": bool(line.get("passed")),
            "reason": line.get("reason") or "",
        }
        for line in given.get("lines") or []
    ]
    judged.sort(key=lambda line: line["passed"])
    return {"passed": bool(given.get("passed")), "lines": judged, "met": sum(line["passed"] for line in judged)}


def training(evidence: Mapping[str, Any]) -> Rows:
    """One small chart for each number that training recorded, over the epochs."""
    epochs = [line for line in evidence.get("history") or [] if isinstance(line, Mapping)]
    names = dict.fromkeys(name for line in epochs for name, value in line.items() if name != "epoch" and is_number(value))
    small = []
    for name in names:
        points = [(_epoch(line, place), line[name]) for place, line in enumerate(epochs) if is_number(line.get(name))]
        about = f"{words(name)} over {len(points)} epochs, from {number(points[0][1])} to {number(points[-1][1])}"
        small.append({"name": words(name), "last": number(points[-1][1]), "chart": lines.line_chart(points, about)})
    return small


def recall_curve(evidence: Mapping[str, Any]) -> dict[str, Any] | None:
    """Link recall over k as one chart, the model's line the strong one, and the same numbers as a table."""
    points = [p for p in evidence.get("recall_curve") or [] if is_number(p.get("k")) and is_number(p.get("value"))]
    if not points:
        return None
    series: dict[str, list[tuple[float, float]]] = {}
    for point in sorted(points, key=lambda p: p["k"]):
        series.setdefault(str(point.get("series", "")), []).append((point["k"], point["value"]))
    own = next(
        (str(name) for name in (evidence.get("family"), evidence.get("model")) if str(name) in series), next(iter(series))
    )
    order = sorted(series, key=lambda name: (name != own, -series[name][-1][1], name))
    ks = sorted({point["k"] for point in points})
    about = f"Link recall at {', '.join(map(str, ks))}, for {', '.join(order)}"
    chart = lines.lines_chart({name: series[name] for name in order}, own, about)
    rows = [{"name": name, "own": name == own, "cells": [number(dict(series[name]).get(k)) for k in ks]} for name in order]
    return {"chart": chart, "ks": ks, "rows": rows}


def _epoch(line: Mapping[str, Any], place: int) -> float:
    epoch = line.get("epoch")
    return epoch if is_number(epoch) else place + 1


def _numbers(given: Any) -> dict[str, float]:
    """The entries of a mapping that are finite numbers."""
    return {str(name): value for name, value in (given or {}).items() if is_number(value)}
