"""What the page says besides quality: neighbours, index, cost, quarantine, lineage. Evidence in, plain rows out."""

import base64
from collections.abc import Mapping
from typing import Any

from kindex.judge.page import bars
from kindex.judge.page.text import is_number, number, words

STAGES = ("ingest", "validate", "split", "train", "index", "evaluate")

MORE = 2
"""Further columns that stand beside a neighbour, at most: the first of the items."""

Rows = list[dict[str, Any]]


def head(evidence: Mapping[str, Any], release: Mapping[str, Any]) -> dict[str, Any]:
    """The model's name and the few facts that stand under it."""
    facts = [
        ("family", evidence.get("family")),
        ("catalogue", evidence.get("catalogue")),
        ("release", release.get("version")),
        ("night", release.get("night")),
        ("digest", str(release.get("digest") or "")[:12]),
    ]
    return {"model": evidence.get("model") or "Unnamed model", "facts": [(n, v) for n, v in facts if v not in (None, "")]}


def neighbours(evidence: Mapping[str, Any]) -> Rows:
    """Queries with their nearest items; `differs` marks a hit whose label is not the query's."""
    rows = []
    for query in evidence.get("examples") or []:
        label = query.get("label")
        hits = [
            {
                "id": hit.get("id", ""),
                "score": _score(hit.get("score")),
                "label": hit.get("label"),
                "more": _more(hit),
                "image": picture(hit.get("image")),
                "differs": label is not None and hit.get("label") is not None and hit["label"] != label,
            }
            for hit in query.get("hits") or []
        ]
        about = " · ".join(str(part) for part in (query.get("kind"), label, _more(query)) if part not in (None, ""))
        rows.append({"id": query.get("id", ""), "about": about, "image": picture(query.get("image")), "hits": hits})
        rows[-1]["golden"] = bool(query.get("golden"))
        rows[-1]["differs"] = any(hit["differs"] for hit in hits)
    return rows


def _more(item: Mapping[str, Any]) -> str:
    """The first further columns of an item, as one text."""
    return " · ".join(str(value) for value in list((item.get("more") or {}).values())[:MORE])


def _score(value: Any) -> str:
    """A similarity to three decimals, so that a column of them can be compared at a glance."""
    return f"{value + 0.0:.3f}".replace("-", "−") if is_number(value) else "–"


def picture(uri: str | None) -> dict[str, Any] | None:
    """A data URI, and whether it is a PNG so small that its pixels should stay sharp when enlarged."""
    if not uri:
        return None
    if not uri.startswith("data:image/png"):
        return {"uri": uri, "pixels": False}
    head = base64.b64decode(uri.partition(",")[2][:32] + "===", validate=False)
    return {"uri": uri, "pixels": int.from_bytes(head[16:20], "big") <= 40}  # IHDR's width, PNG section 11.2.2


def index_table(evidence: Mapping[str, Any], costs: Mapping[str, Any]) -> dict[str, Any] | None:
    """Settings tried, with their quality and cost; `queries_per_second` comes from the costs of this machine."""
    given: Rows = evidence.get("index_table") or []
    if not given:
        return None
    rates = (costs.get("index") or {}).get("queries_per_second")
    known = ("kind", "factory", "setting", "chosen", "frontier")
    alone = (costs.get("index") or {}).get("measured") or {}
    names = list(dict.fromkeys(name for row in given for name in row if name not in known))
    rows = [
        {
            "kind": row.get("kind", ""),
            "setting": " · ".join(str(row[name]) for name in ("factory", "setting") if row.get(name)),
            "chosen": bool(row.get("chosen")),
            "frontier": bool(row.get("frontier")),
            "p95": _alone(alone, row),
            "cells": [number(row[name]) if is_number(row.get(name)) else row.get(name, "") for name in names],
            "rate": _rate(rates, row),
        }
        for row in given
    ]
    measured = any(row["rate"] for row in rows)
    return {
        "columns": [words(name) for name in names],
        "rows": rows,
        "measured": measured,
        "timed": any(r["p95"] for r in rows),
    }


def _alone(measured: Any, row: Mapping[str, Any]) -> str:
    """Microseconds that 95 of 100 queries do not exceed here, each asked alone."""
    found = (measured.get(str(row.get("kind"))) or {}).get(f"{row.get('factory')} {row.get('setting')}") or {}
    return number(found["p95_us"]) if is_number(found.get("p95_us")) else ""


def _rate(rates: Any, row: Mapping[str, Any]) -> str:
    """Queries a second of one row: given by kind and setting, by setting, or by kind."""
    kind, setting = str(row.get("kind")), str(row.get("setting"))
    found = rates if isinstance(rates, Mapping) else {}
    for key in (f"{kind}/{setting}", f"{kind} {setting}", kind, setting):
        inner = found.get(key)
        inner = inner.get(f"{row.get('factory')} {setting}", inner.get(setting)) if isinstance(inner, Mapping) else inner
        if is_number(inner):
            return _fixed(inner, 0)
    return ""


def cost_table(costs: Mapping[str, Any]) -> dict[str, Any] | None:
    """Time and memory of each stage in the order of the night, bars on one scale, and the sum; None without costs."""
    known = {stage: cost for stage, cost in costs.items() if isinstance(cost, Mapping) and is_number(cost.get("seconds"))}
    if not known:
        return None
    order = sorted(known, key=lambda stage: (STAGES.index(stage) if stage in STAGES else len(STAGES), stage))
    extent = bars.span(cost["seconds"] for cost in known.values())
    rows = [
        {
            "stage": stage,
            "seconds": _fixed(known[stage]["seconds"], 1),
            "cpu": _fixed(known[stage].get("cpu_seconds"), 1),
            "memory": _fixed(known[stage].get("peak_memory_mb"), 0),
            "bar": bars.bar(known[stage]["seconds"], extent),
        }
        for stage in order
    ]
    sums = (sum(c[name] for c in known.values() if is_number(c.get(name))) for name in ("seconds", "cpu_seconds"))
    return {"rows": rows, "sums": [_fixed(total, 1) for total in sums]}


def quarantine(evidence: Mapping[str, Any]) -> dict[str, Any] | None:
    """Rows read and refused by table and rule, with some refused rows; None when validation left no word."""
    given = evidence.get("quarantine")
    if not given:
        return None
    refused = [
        {"table": table, "rule": words(str(rule)), "count": number(count)}
        for table, rules in (given.get("refused_by_rule") or {}).items()
        for rule, count in (rules or {}).items()
        if count
    ]
    rows = [_counts(str(table), counts) for table, counts in (given.get("rows") or {}).items()]
    return {"rows": rows, "refused": refused, "examples": given.get("examples") or []}


def _counts(table: str, counts: Any) -> dict[str, str]:
    """Rows of one table: how many came in, passed and were refused; a bare number is how many came in."""
    known = counts if isinstance(counts, Mapping) else {"in": counts}
    share = known.get("refused_share")
    shown = {name: number(known[name]) if name in known else "" for name in ("in", "passed", "refused")}
    return {"table": table, "came": shown.pop("in"), **shown, "share": f"{share:.2%}" if is_number(share) and share else ""}


def lineage(evidence: Mapping[str, Any], release: Mapping[str, Any] | None) -> Rows:
    """Groups of names and values that say exactly what was built, from what."""
    made_from = dict(evidence.get("lineage") or {})
    versions = made_from.pop("versions", None)
    groups = {"Release": release, "Made from": made_from, "Settings": evidence.get("config"), "Versions": versions}
    return [{"title": title, "pairs": flat(group)} for title, group in groups.items() if group]


def flat(given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and values as text. A mapping of plain values is one line; one of mappings gives a line for each, after a dot."""
    found = []
    for name, value in given.items():
        if isinstance(value, Mapping) and any(isinstance(part, Mapping) for part in value.values()):
            found += [(f"{words(str(name))} · {inner}", text) for inner, text in flat(value)]
        else:
            found.append((words(str(name)), _text(value)))
    return found


def _fixed(value: Any, decimals: int) -> str:
    return f"{value:,.{decimals}f}" if is_number(value) else ""


def _text(value: Any) -> str:
    """A value as it was set: whole, and not rounded."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{words(str(name))}: {_text(part)}" for name, part in value.items())
    return ", ".join(map(_text, value)) if isinstance(value, list) else str(value)
