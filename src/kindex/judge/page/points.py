"""The 2-D map's data: columns that the page's own script draws, and JSON that cannot end the script it stands in."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from kindex.judge.page.text import visible

TOP = 12
"""Labels with a mark of their own: six colours, each as a disc and as a ring. The others share the grey one."""

SIDE = 65_535
"""The longer side of a view in whole steps: finer than a screen, and short to write."""

LEAST_SHARE = 0.02
"""Of the items, that must have a label with a mark of its own; a column of names that hardly repeat colours nothing."""

DESCRIPTION = 120
"""Characters of a description in the map, where there may be a hundred thousand of them."""


def columns(shown: Mapping[str, Any]) -> dict[str, Any] | None:
    """The evidence's `map` (cleaned) as columns for the script, or None when it places no item."""
    items = shown.get("items") or []
    views = {name: view(items, name) for name in ("tsne", "pca")}
    views = {name: placed for name, placed in views.items() if placed}
    if not views:
        return None
    own = {"title": shown.get("label_title"), "labels": shown.get("labels"), "label": [item.get("label") for item in items]}
    further = [column for column in shown.get("columns") or [] if len(column.get("label") or []) == len(items)]
    by = [colouring(column, place) for place, column in enumerate([own, *further])]
    worth = [one for one in by[1:] if sum(g["count"] for g in one["groups"] if g["mark"] >= 0) >= LEAST_SHARE * len(items)]
    images_N = [item.get("image") for item in items]
    return {
        "kind": shown.get("kind") or "item",
        "ids": [str(item.get("id", "")) for item in items],
        "descriptions": [visible(str(item.get("description") or ""), DESCRIPTION) for item in items],
        "by": worth if worth and not by[0]["labels"] else [by[0], *worth],
        "views": views,
        "images": images_N if any(images_N) else None,
    }


def colouring(column: Mapping[str, Any], place: int = 0) -> dict[str, Any]:
    """One column that the map can be coloured by: its title, labels, the label of each item, and the legend's groups."""
    labels = [str(label) for label in column.get("labels") or []]
    label_N = [_label(label, len(labels)) for label in column.get("label") or []]
    title = str(column.get("title") or ("label" if place == 0 else f"column {place}"))
    groups, group_N = grouped(label_N, labels, title)
    return {"title": title, "labels": labels, "label": label_N, "groups": groups, "group": group_N}


def view(items: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any] | None:
    """`width`, `height` and `xy` (2N whole numbers, y downwards) of one projection, or None when no item has a place.

    Both axes have one scale, so that distances stay comparable. An item without a finite place gets −1, −1.
    """
    xy_N2 = np.array([_place(item.get(name)) for item in items], float).reshape(-1, 2)
    placed_N = np.isfinite(xy_N2).all(axis=1)
    if not placed_N.any():
        return None
    low_2, high_2 = xy_N2[placed_N].min(axis=0), xy_N2[placed_N].max(axis=0)
    scale = SIDE / max(float((high_2 - low_2).max()), 1e-30)
    steps_N2 = np.full(xy_N2.shape, -1, int)
    steps_N2[placed_N, 0] = np.rint((xy_N2[placed_N, 0] - low_2[0]) * scale)
    steps_N2[placed_N, 1] = np.rint((high_2[1] - xy_N2[placed_N, 1]) * scale)
    width, height = (max(int(side), 1) for side in np.rint((high_2 - low_2) * scale))
    return {"width": width, "height": height, "xy": steps_N2.ravel().tolist()}


def grouped(label_N: Sequence[int], labels: Sequence[str], title: str = "label") -> tuple[list[dict[str, Any]], list[int]]:
    """Groups of the legend (name, count, mark), most frequent label first, and the group of each item.

    The `TOP` labels have their own; what remains is one group, and items without a label another, both at the end.
    A few labels that are whole numbers, such as classes, stand in their order.
    """
    count = Counter(label_N)
    ranked = sorted((label for label in count if label >= 0), key=lambda label: (-count[label], labels[label], label))
    if len(ranked) <= TOP and all(labels[label].isdecimal() for label in ranked):
        ranked.sort(key=lambda label: int(labels[label]))
    own, rest = ranked[:TOP], ranked[TOP:]
    groups = [{"name": labels[label], "count": count[label], "mark": mark} for mark, label in enumerate(own)]
    of_label = {label: mark for mark, label in enumerate(own)}
    if rest:
        of_label |= dict.fromkeys(rest, len(groups))
        groups.append({"name": f"{len(rest):,} others", "count": sum(count[label] for label in rest), "mark": -1})
    if count[-1]:
        of_label[-1] = len(groups)
        groups.append({"name": f"no {title}", "count": count[-1], "mark": -1})
    return groups, [of_label[label] for label in label_N]


def script_json(value: Any) -> Markup:
    """JSON in ASCII without `<`, `>` and `&`: no text in it can close its element or open a comment."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


def _place(pair: Any) -> tuple[float, float]:
    try:
        x, y = pair
        return float(x), float(y)
    except (TypeError, ValueError):
        return float("nan"), float("nan")


def _label(index: Any, labels: int) -> int:
    return index if isinstance(index, int) and 0 <= index < labels else -1
