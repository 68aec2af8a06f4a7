"""What the page says of a release beside another: numbers, churn by name, data, the shadow run. Comparison in, rows out."""

from collections.abc import Mapping
from typing import Any

from kindex.judge.compared import NUMBERS
from kindex.judge.page.text import interval, is_number, number, words

CLASSES = {
    "same": "the same space: vectors of items that did not change are the same bytes",
    "aligned": "trained anew and turned onto the parent: vectors of the two can be compared, but are not the same",
    "incompatible": "another space: vectors of the two must not be compared",
    "first": "a first space: it has no parent",
}
"""What each class of compatibility means for who uses the vectors."""

LABELS = 12
"""Labels whose churn is shown: those that changed most."""

Rows = list[dict[str, Any]]


def against(shown: Mapping[str, Any]) -> dict[str, Any] | None:
    """The section, None without a comparison. `shown` is `kindex.judge.comparison.Comparison.shown`, cleaned."""
    if not shown:
        return None
    return {
        "former": shown["former"],
        "now": shown["now"],
        "built": shown.get("built"),
        "reasons": shown.get("reasons") or [],
        "compatibility": _compatibility(shown.get("compatibility") or {}),
        "measures": [_measure(row) for row in shown.get("measures") or []],
        "numbers": [
            {"name": words(name), "meaning": NUMBERS[name], "value": number(value)}
            for name, value in (shown.get("numbers") or {}).items()
            if name in NUMBERS
        ],
        "labels": _labels(shown.get("churn") or []),
        "changes": [_change(one, part["kind"]) for part in shown.get("churn") or [] for one in part.get("changes") or []],
        "kinds": [_items(one) for one in (shown.get("drift") or {}).get("items") or []],
        "rows": [
            {
                "table": row["table"],
                "former": number(row["former"]),
                "now": number(row["now"]),
                "change": signed(row["change"], True),
            }
            for row in (shown.get("drift") or {}).get("rows") or []
        ],
        "shadow": _shadow(shown.get("shadow") or {}),
    }


def signed(value: Any, share: bool = False) -> str:
    """A difference with its sign; as a percentage if it is a share; "" when there is none.

    >>> signed(0.0213), signed(-0.5, share=True), signed(0)
    ('+0.0213', '−50.0%', '0')
    """
    if not is_number(value):
        return ""
    if value == 0:
        return "0"
    shown = f"{abs(value):.1%}" if share else number(abs(value))
    return ("+" if value > 0 else "−") + shown


def _compatibility(given: Mapping[str, Any]) -> dict[str, Any] | None:
    kind = given.get("class")
    if kind not in CLASSES:
        return None
    residual = number(given["residual"]) if is_number(given.get("residual")) else ""
    # what train recorded is of its parent, which may not be the release on the left
    parent = None if given.get("with_former") or kind == "first" else given.get("parent")
    return {"class": kind, "meaning": CLASSES[kind], "residual": residual, "other_parent": parent}


def _measure(row: Mapping[str, Any]) -> dict[str, Any]:
    sign = {"higher": 1, "lower": -1}.get(str(row.get("better")), 0)
    pair, difference = row.get("pair") or {}, row.get("difference")
    low, high = pair.get("low"), pair.get("high")
    change = sign * difference if is_number(difference) else 0
    proven = is_number(low) and is_number(high) and not low <= 0 <= high
    return {
        "title": row.get("title") or row.get("name"),
        "former": number(row.get("former")),
        "now": number(row.get("now")),
        "difference": signed(difference),
        "paired": f"{signed(pair.get('difference'))} ({interval(low, high)})" if pair else "",
        "shared": number(pair.get("shared")) if pair else "",
        "way": "better" if proven and change > 0 else "worse" if proven and change < 0 else "",
    }


def _labels(churns: list[Mapping[str, Any]]) -> Rows:
    """Churn of all, of the golden list, and of the labels, for each kind."""
    rows: Rows = []
    for part in churns:
        whole = [("all", part.get("asked"), part["churn"])]
        whole += [("golden list", None, part["golden"])] if is_number(part.get("golden")) else []
        labels = [(one["label"], one["asked"], one["churn"]) for one in (part.get("labels") or [])[:LABELS]]
        rows += [
            {
                "kind": part["kind"],
                "label": label,
                "whole": place < len(whole),
                "asked": number(asked) if is_number(asked) else "",
                "churn": number(value),
            }
            for place, (label, asked, value) in enumerate([*whole, *labels])
        ]
    return rows


def _change(one: Mapping[str, Any], kind: str) -> dict[str, Any]:
    known = {"id": one["id"], "label": one.get("label"), "kind": kind, "golden": bool(one.get("golden"))}
    if one.get("gone"):
        return {**known, "gone": True, "churn": "", "lost": [], "gained": []}
    return {**known, "gone": False, "churn": number(one["churn"]), "lost": one.get("lost"), "gained": one.get("gained")}


def _items(one: Mapping[str, Any]) -> dict[str, Any]:
    counts = {name: number(one[name]) for name in ("former", "now", "added", "removed", "relabelled", "psi")}
    labels = [{**label, "change": signed(label["now"] - label["former"], True)} for label in one.get("labels") or []]
    return {
        "kind": one["kind"],
        **counts,
        "labels": labels,
        **{name: one.get(name) or [] for name in ("added_ids", "removed_ids")},
    }


def _shadow(given: Mapping[str, Any]) -> dict[str, Any] | None:
    if not given.get("asked"):
        return None
    shares = {name: f"{given[name]:.1%}" if is_number(given.get(name)) else "–" for name in ("overlap", "same_first")}
    counts = {name: number(given.get(name)) for name in ("asked", "gone", "unlike", "failed")}
    return {**shares, **counts, "errors": given.get("errors") or []}
