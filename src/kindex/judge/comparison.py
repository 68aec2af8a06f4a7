"""Two releases of one model side by side. Pure: what stands in each goes in, numbers and names come out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from kindex.core.aside import side_by_side
from kindex.core.space import CONTEXT, Space
from kindex.judge import churn, drift
from kindex.judge.compared import slug
from kindex.judge.measures import measures_of
from kindex.judge.paired import Pair, paired
from kindex.judge.queries import metrics_of

INDEX = {"index_p95_ratio": "predicted_p95_us", "index_bytes_ratio": "bytes_per_vector"}
"""What is compared of the chosen indexes, by the column of their table."""


@dataclass(frozen=True)
class Side:
    """One of the two. `labels` are by id, by kind; `index_table` is that of the settings tried; a release of an earlier
    kindex has no `queries` and no `refresh`."""

    version: str
    night: str
    report: Mapping[str, float]
    spaces: Mapping[str, Space]
    labels: Mapping[str, Mapping[str, str | None]]
    rows: Mapping[str, int] = field(default_factory=dict)  # of the train tables
    index_table: Sequence[Mapping[str, Any]] = ()
    queries: pa.Table | None = None
    refresh: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """`numbers` are what a gate may ask (`kindex.judge.compared`), `pairs` by metric, `shown` what people read; JSON."""

    numbers: dict[str, float]
    pairs: dict[str, Pair]
    shown: dict[str, Any]


def compare(former: Side, now: Side, golden: Sequence[str], shadow: Mapping[str, Any]) -> Comparison:
    """`former` is the live release, or whichever stands on the left; `shadow` is what `kindex.ask.shadow` saw."""
    churns = side_by_side(*(partial(_churn, former, now, kind, golden) for kind in now.spaces))
    items, rows = drift.item_drift(former.labels, now.labels), drift.row_drift(former.rows, now.rows)
    pairs = _pairs(former.queries, now.queries)
    numbers = {
        **_churn_numbers(churns),
        "vectors_norm_drift": max([0.0, *(_norm_drift(former.spaces.get(kind), one) for kind, one in now.spaces.items())]),
        **_index_numbers(former.index_table, now.index_table),
        **drift.numbers(items, rows),
        "shadow_errors": float(shadow.get("failed", 0)),
    }
    if shadow.get("overlap") is not None:
        numbers["shadow_overlap_at_10"] = shadow["overlap"]
    if shadow.get("index_gap") is not None:
        numbers["shadow_index_gap"] = shadow["index_gap"]
    shown = {
        "former": {"version": former.version, "night": former.night},
        "now": {"version": now.version, "night": now.night},
        "built": now.refresh.get("built"),
        "reasons": list(now.refresh.get("reasons") or ()),
        "compatibility": _compatibility(former, now),
        "measures": _measures(former.report, now.report, pairs),
        "churn": [_shown(one) for one in churns],
        "drift": {"items": items, "rows": rows},
        "shadow": dict(shadow),
    }
    rounded = {name: round(float(value), 6) + 0.0 for name, value in sorted(numbers.items())}
    return Comparison(rounded, pairs, {**shown, "numbers": rounded})


def _compatibility(former: Side, now: Side) -> dict[str, Any]:
    """The class that train recorded, which is about its parent: of another release it says nothing but that."""
    parent = now.refresh.get("parent") or {}
    recorded = now.refresh.get("compatibility") or {}
    return {**recorded, "parent": parent.get("version"), "with_former": parent.get("version") == former.version}


def _churn(former: Side, now: Side, kind: str, golden: Sequence[str]) -> churn.Churn:
    if kind not in former.spaces:
        return churn.Churn(kind, 1.0)
    plain = not kind.endswith(CONTEXT)
    was, labels = (side.labels.get(kind, {}) if plain else {} for side in (former, now))
    return churn.compare(former.spaces[kind], now.spaces[kind], was, labels, golden if plain else ())


def _churn_numbers(churns: Sequence[churn.Churn]) -> dict[str, float]:
    """The largest of several kinds; the golden list is one, whatever kinds its items have."""
    found = {"neighbour_churn_at_10": max((one.churn for one in churns), default=0.0)}
    if known := sum(one.golden[0] for one in churns):
        found["neighbour_churn_at_10_golden"] = sum(one.golden[1] for one in churns) / known
    for label, _, value in (line for one in churns for line in one.labels):
        if name := slug(label):
            found[f"neighbour_churn_at_10_label_{name}"] = max(value, found.get(f"neighbour_churn_at_10_label_{name}", 0.0))
        found["neighbour_churn_at_10_label"] = max(value, found.get("neighbour_churn_at_10_label", 0.0))
    return found


def _shown(one: churn.Churn) -> dict[str, Any]:
    labels = [{"label": label, "asked": asked, "churn": round(value, 6)} for label, asked, value in one.labels]
    golden = round(one.golden[1] / one.golden[0], 6) if one.golden[0] else None
    whole = {"kind": one.kind, "churn": round(one.churn, 6), "asked": one.asked, "golden": golden}
    return {**whole, "labels": labels, "changes": list(one.changes)}


def _norm_drift(former: Space | None, now: Space) -> float:
    """Of the items that both have; 0 where there is nothing to compare, which churn tells."""
    if former is None or not (shared := [name for name in now.ids if name in former.rows]):
        return 0.0
    lengths = [
        float(np.median(np.linalg.norm(space.vectors_ND[[space.rows[name] for name in shared]], axis=1)))
        for space in (former, now)
    ]
    if not np.isfinite(lengths).all() or lengths[0] == 0:
        return float(lengths[0] != lengths[1])
    return abs(lengths[1] / lengths[0] - 1)


def _index_numbers(former: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The worst ratio over the kinds that both have a figure for."""
    found: dict[str, float] = {}
    for name, column in INDEX.items():
        sides = [{row.get("kind"): row.get(column) for row in table if row.get("chosen")} for table in (former, now)]
        ratios = [sides[1][kind] / was for kind, was in sides[0].items() if was and sides[1].get(kind) is not None]
        found |= {name: max(ratios)} if ratios else {}
    return found


def _pairs(former: pa.Table | None, now: pa.Table | None) -> dict[str, Pair]:
    if former is None or now is None:
        return {}
    both = sorted({*metrics_of(former)} & {*metrics_of(now)})
    return {metric: pair for metric in both if (pair := paired(former, now, metric)) is not None}


def _measures(former: Mapping[str, float], now: Mapping[str, float], pairs: Mapping[str, Pair]) -> list[dict[str, Any]]:
    """Every measure that either report has, side by side, with the paired interval of the difference where there is one."""
    known = {measure.name: measure for measure in (*measures_of(now), *measures_of(former))}
    rows = []
    for name, measure in known.items():
        values = [side.get(name) for side in (former, now)]
        row: dict[str, Any] = {"name": name, "title": measure.title, "better": measure.better}
        row |= {"former": values[0], "now": values[1]}
        if values[0] is not None and values[1] is not None:
            row["difference"] = round(values[1] - values[0], 6) + 0.0
        if name in pairs:
            row["pair"] = pairs[name].as_dict()
        rows.append(row)
    return rows
