"""How the data moved between two releases: items added and removed, labels, rows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

LABELS = 20
"""Labels that the index counts by themselves: the most frequent ones of the former release. The others are one bin."""

NAMES = 6
"""Ids that are named, of those added and of those removed."""

OTHERS, NONE = "(other labels)", "(no label)"

Labels = Mapping[str, str | None]
"""Label by id, of one kind of item."""


def item_drift(former: Mapping[str, Labels], now: Mapping[str, Labels]) -> list[dict[str, Any]]:
    """For each kind of item: how many there were and are, which came and went, and how the labels moved."""
    return [{"kind": kind, **_of_kind(former.get(kind, {}), now.get(kind, {}))} for kind in sorted({*former, *now})]


def row_drift(former: Mapping[str, int], now: Mapping[str, int]) -> list[dict[str, Any]]:
    """For each table that both have: its rows then and now, and the change as a share."""
    return [
        {"table": name, "former": former[name], "now": now[name], "change": (now[name] - former[name]) / max(1, former[name])}
        for name in sorted(former.keys() & now.keys())
    ]


def numbers(items: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """What a gate may ask of both; of several kinds the largest."""
    found = {f"drift_rows_{row['table']}": abs(row["change"]) for row in rows}
    if rows:
        found["drift_rows"] = max(found.values())
    for name, share in (("added", "added"), ("removed", "removed")):
        found[f"drift_items_{name}"] = max((one[share] / max(1, one["former"]) for one in items), default=0.0)
    found["drift_label_psi"] = max((one["psi"] for one in items), default=0.0)
    return found


def stability_index(former: Sequence[int], now: Sequence[int]) -> float:
    """Population stability index of counts by bin: sum of (q - p) ln(q / p), p and q being the shares (Siddiqi 2006, *Credit
    Risk Scorecards*, chapter 8).

    Half an item is added to each bin, so that one that is empty on a side counts and does not blow up. 0 when a side is empty
    on both; equal shares give 0.
    """
    counts = [np.array(one, np.float64) + 0.5 for one in (former, now)]
    if not len(former):
        return 0.0
    p, q = (one / one.sum() for one in counts)
    return float(((q - p) * np.log(q / p)).sum())


def _of_kind(former: Labels, now: Labels) -> dict[str, Any]:
    added, removed = now.keys() - former.keys(), former.keys() - now.keys()
    counts = [Counter(label or NONE for label in side.values()) for side in (former, now)]
    named = [name for name, _ in sorted(counts[0].items(), key=lambda one: (-one[1], one[0])) if name != NONE][:LABELS]
    bins = [[*(side[name] for name in (*named, NONE)), _rest(side, named)] for side in counts]
    kept = [place for place in range(len(named) + 2) if bins[0][place] or bins[1][place]]
    shares = [[count / max(1, sum(side)) for count in side] for side in bins]
    titles = [*named, NONE, OTHERS]
    moved = sorted(kept, key=lambda place: (-abs(shares[1][place] - shares[0][place]), titles[place]))
    return {
        "former": len(former),
        "now": len(now),
        "added": len(added),
        "removed": len(removed),
        "relabelled": sum(former[name] != now[name] for name in former.keys() & now.keys()),
        "psi": round(stability_index(*([side[place] for place in kept] for side in bins)), 6) if former and now else 0.0,
        "labels": [
            {"label": titles[place], "former": round(shares[0][place], 6), "now": round(shares[1][place], 6)}
            for place in moved[:NAMES]
            if shares[0][place] != shares[1][place]
        ],
        "added_ids": sorted(added)[:NAMES],
        "removed_ids": sorted(removed)[:NAMES],
    }


def _rest(counts: Counter[str], named: Sequence[str]) -> int:
    return sum(counts.values()) - sum(counts[name] for name in (*named, NONE))
